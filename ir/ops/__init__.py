"""All ops; importing this package registers them. One file holds one family."""

from kerac.ir.ops.activation import *  # noqa: F403
from kerac.ir.ops.attention import *  # noqa: F403
from kerac.ir.ops.bitwise import *  # noqa: F403
from kerac.ir.ops.constant import *  # noqa: F403
from kerac.ir.ops.contraction import *  # noqa: F403
from kerac.ir.ops.convolution import *  # noqa: F403
from kerac.ir.ops.convolution_gradient import *  # noqa: F403
from kerac.ir.ops.cumulative import *  # noqa: F403
from kerac.ir.ops.elementwise import *  # noqa: F403
from kerac.ir.ops.iota import *  # noqa: F403
from kerac.ir.ops.linear_recurrence import *  # noqa: F403
from kerac.ir.ops.movement import *  # noqa: F403
from kerac.ir.ops.normalization import *  # noqa: F403
from kerac.ir.ops.pooling import *  # noqa: F403
from kerac.ir.ops.pooling_gradient import *  # noqa: F403
from kerac.ir.ops.random import *  # noqa: F403
from kerac.ir.ops.recurrent import *  # noqa: F403
from kerac.ir.ops.recurrent_gradient import *  # noqa: F403
from kerac.ir.ops.reduction import *  # noqa: F403
from kerac.ir.ops.scatter import *  # noqa: F403
from kerac.ir.ops.sorting import *  # noqa: F403
from kerac.ir.ops.training import *  # noqa: F403
from kerac.ir.ops.trigonometry import *  # noqa: F403
