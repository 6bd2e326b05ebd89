"""What is told of two graphs: names that came, went and changed, and lines side by side."""

from kerac.inspector.differences import Difference, Listing
from kerac.ir import parse
from tests.inspector.traces import fused, nested, residual


def difference() -> Difference:
    return Difference(Listing(residual()), Listing(fused()))


def test_names_that_went_came_and_changed() -> None:
    found = difference()
    assert found.removed == ("activation",)
    assert found.added == ()
    # `sum` reads another value now, but is the sum that it was
    assert found.changed == ("conv",)
    assert not found.is_empty
    assert [found.status_before(name) for name in ("activation", "conv", "mean")] == ["-", "~", "."]
    assert [found.status_after(name) for name in ("conv", "mean")] == ["~", "."]


def test_a_graph_does_not_differ_from_itself_nor_by_its_origins() -> None:
    listing = Listing(residual())
    assert Difference(listing, listing).is_empty
    text = str(residual())
    bare = parse("\n".join(line.partition("  #")[0] for line in text.splitlines()))
    assert Difference(listing, Listing(bare)).is_empty


def test_lines_are_marked_as_diff_does() -> None:
    lines = list(difference().marked_lines())
    assert [mark for mark, _ in lines] == [" ", " ", "-", "-", "-", "+", "+", " ", " ", " "]
    assert lines[3] == ("-", "    activation: f32[N, 8, 8, 4] = relu(conv)  # block/relu")
    before = "\n".join(text for mark, text in lines if mark != "+")
    assert before == str(residual()).rstrip("\n")


def test_equal_lines_far_away_are_left_out() -> None:
    texts = [f"    v{i}: f32[N] = relu({f'v{i - 1}' if i else 'x'})" for i in range(20)]
    before = "\n".join(["def f(x: f32[N]):", *texts, "    return v19"])
    after = before.replace("v10: f32[N] = relu", "v10: f32[N] = tanh")
    found = Difference(Listing(parse(before)), Listing(parse(after)))
    lines = list(found.marked_lines(2))
    assert [mark for mark, _ in lines] == ["@", " ", " ", "-", "+", " ", " ", "@"]
    assert lines[0][1] == "9 equal lines"
    assert lines[-1][1] == "8 equal lines"


def test_the_listing_knows_which_line_defines_which_value() -> None:
    listing = Listing(nested())
    assert [line.name for line in listing.lines if line.name] == ["first", "second", "sum"]
    assert listing.lines[listing.line_of["sum"]].code.strip() == (
        "sum: f32[N, 4] = add(first, second)"
    )


def test_a_value_whose_weight_changed_is_changed() -> None:
    text = (
        "def f(x: i32[N]):\n    w: f32[2] = constant([1.0, {}])\n    y = gather(w, x)\n    return y"
    )
    found = Difference(Listing(parse(text.format(2.0))), Listing(parse(text.format(3.0))))
    assert found.changed == ("w", "y")
    assert found.computed(found.changed) == ["y"]


def test_swapped_operands_are_no_change_of_a_value_but_of_the_graph() -> None:
    text = "def f(x: f32[N], y: f32[N]):\n    z = subtract({})\n    return z"
    found = Difference(Listing(parse(text.format("x, y"))), Listing(parse(text.format("y, x"))))
    assert found.changed == ()
    assert not found.is_empty
