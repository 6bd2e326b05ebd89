"""What happens around epochs and batches, as in Keras."""

from kerac.callbacks.averages import SwapEMAWeights
from kerac.callbacks.backup import BackupAndRestore
from kerac.callbacks.base import Callback, CallbackList, LambdaCallback
from kerac.callbacks.checkpoints import ModelCheckpoint
from kerac.callbacks.history import History
from kerac.callbacks.progress import ProgbarLogger
from kerac.callbacks.rates import LearningRateScheduler, ReduceLROnPlateau
from kerac.callbacks.records import CSVLogger
from kerac.callbacks.remote import RemoteMonitor
from kerac.callbacks.stopping import EarlyStopping, TerminateOnNaN
from kerac.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
