"""Decides each pixel's class on the CPU without most of the upsampling, by comparing only the few classes that can win there.

The logits, [N, h, w, C], are upsampled by a power of two, s, and only the class of each pixel's largest logit is needed. A cell
is the s x s pixels between the centres of four neighbouring logits, its corners. A pixel's logits are weighted means of its
corners' logits. The weights are the same for all classes, are multiples of 1/4s² and sum to 1, so they are exact in float32. If
a class scores below another one at all four corners, it does so at every pixel of the cell. If the gap exceeds 2^-18 of the
largest logit, this survives rounding: four products and three sums err by less than 2^-22 of the largest logit. So

- if one class is best at all four corners of a cell by that margin, the whole cell has that class;
- in any other cell, a class cannot win if it is below the leader by that margin at all four corners. The leader is the class
  with the highest sum, but any class would do. The remaining classes are upsampled and compared in order: the first of equals
  wins.

These classes are upsampled by Resize, too. Its image is the 2 x 2 corners of a cell, and its channels are the classes of many
cells: tf_crop_and_resize from 1/2s to 1-1/2s has bit for bit the weights that half_pixel has in a cell. Beyond the outermost
centres, half_pixel repeats rows and columns, so one row or column per side is computed and repeated. At the top and left, two
lines are resized to one, which pytorch_half_pixel puts on the first centre. At the bottom and right, one line is resized to two
equal ones. The ids are bit-identical.

Cells are processed in groups: the largest number of classes in a group is at most 1.5 times the smallest. A cell with fewer
classes than the largest number repeats its last class. Everything else (other sizes, logits that are not finite, too many
classes left) is upsampled whole.
"""

from __future__ import annotations

from string import Template

import numpy as np
import onnx.compose
import onnx.parser
from onnx import GraphProto, ModelProto, numpy_helper

from semseg_contract.tensors import IDS

PREFIX = "decide/"
SMALL, SIZES = PREFIX + "small", PREFIX + "sizes"  # float32 [N, h, w, C], and the int64 shape [N, H, W, C] to upsample it to
FACTORS = (4, 8, 16, 32)  # not 2: a cell would be as large as its corners, so ONNX Runtime's Resize would just copy them
MARGIN = 2.0**-18
LEAST_MARGIN = 2.0**-100  # below this, products in float32 lose digits
# Measured on two cores: with cells of 4x4 pixels, listing classes pays off if at most half of the cells need it. With 150
# classes, upsampling only the listed ones pays off if they are at most a third of all; with 19 classes, even at half.
PIXELS_THAT_PAY = 32
LISTS_THAT_PAY = 3

_CONSTANTS = """
    int64 none = {0}, int64 single = {1}, int64 many = {1000000}, int64[1] end = {9223372036854775807}, int64[1] last = {-1},
    int64[1] zero = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] three = {3}, int64[2] column = {-1, 1},
    int64[2] two_rows = {2, -1}, int64[4] corners = {1, 2, 2, -1}, int64[4] least = {1, 2, 2, 2}, int64[1] s = {$s},
    int64[4] scale = {1, $s, $s, 1}, int64[4] patch = {1, $half, $half, 1}, int64[1] area = {$area},
    int64[1] half = {$half}, int64[1] but_half = {-$half}, int64[$s] lines = {$lines},
    float[8] inside = {0, $first, $first, 0, 1, $final, $final, 1},
    float unit = {1}, float unsure = {300}, float sure = {0.5}, float more_by_half = {1.5}, float too_large = {1e30},
    float relative = {$relative}, float least_margin = {$least_margin}, float cells_that_pay = {$cells_that_pay},
    int64 lists_that_pay = {$lists_that_pay}
"""

_DENSE = """{
    large_$place = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (small, , , sizes)
    class_$place = ArgMax <axis = 3, keepdims = 0> (large_$place)
    ids_$place = Cast <to = 2> (class_$place)
}"""

_FITTING = """
tail (float[n, h, w, c] small, int64[4] sizes) => (uint8[n, H, W] ids) <$constants> {
    shape = Shape (small)
    at_least = Max (shape, least)
    grown = Mul (at_least, scale)
    equal = Equal (grown, sizes)
    equal_numbers = Cast <to = 6> (equal)
    all_equal = ReduceMin <keepdims = 0> (equal_numbers)
    right_sizes = Cast <to = 9> (all_equal)
    absolute_sum = ReduceL1 <keepdims = 0> (small)
    finite = Less (absolute_sum, too_large)
    fitting = And (right_sizes, finite)
    ids = If (fitting) <
        then_branch = cells () => (uint8[n, H, W] ids_of_cells) $cells,
        else_branch = whole () => (uint8[n, H, W] ids_1) $dense_1
    >
}"""

_CELLS = """{
    number, height, width, classes = Split <axis = 0> (shape)
    same_number, full_height, full_width, same_classes = Split <axis = 0> (sizes)
    best = ReduceMax <axes = [3]> (small)
    highest = ReduceMax <keepdims = 0> (best)
    lowest = ReduceMin <keepdims = 0> (small)
    minus_lowest = Neg (lowest)
    largest = Max (highest, minus_lowest)
    rounding = Mul (largest, relative)
    margin = Max (rounding, least_margin)
    minus_margin = Neg (margin)
    behind_best = Sub (small, best)
    close = GreaterOrEqual (behind_best, minus_margin)
    close_numbers = Cast <to = 1> (close)
    close_count = ReduceSum <keepdims = 0> (close_numbers, three)
    rivals = Sub (close_count, unit)
    doubt = Mul (rivals, unsure)
    best_class = ArgMax <axis = 3, keepdims = 0> (small)
    best_number = Cast <to = 1> (best_class)
    above = Add (doubt, best_number)
    below = Sub (doubt, best_number)
    above_plane = Unsqueeze (above, one)
    below_plane = Unsqueeze (below, one)
    highest_class = MaxPool <kernel_shape = [2, 2]> (above_plane)
    minus_lowest_class = MaxPool <kernel_shape = [2, 2]> (below_plane)
    spread = Add (highest_class, minus_lowest_class)
    mixed = Greater (spread, sure)
    mixed_numbers = Cast <to = 1> (mixed)
    mixed_share = ReduceMean <keepdims = 0> (mixed_numbers)
    few_cells = LessOrEqual (mixed_share, cells_that_pay)
    ids_of_cells = If (few_cells) <
        then_branch = lists () => (uint8[n, H, W] ids_of_lists) $lists_of_classes,
        else_branch = whole () => (uint8[n, H, W] ids_2) $dense_2
    >
}"""

_LISTS = """{
    inner_columns = Sub (width, one)
    inner_rows = Sub (height, one)
    inner_width = Mul (inner_columns, s)
    inner_height = Mul (inner_rows, s)
    image_logits = Mul (height, width)
    image_lines = Mul (inner_height, inner_columns)
    strides = Concat <axis = 0> (image_logits, zero, width, one, image_lines, zero, inner_width, one)
    two_strides = Reshape (strides, two_rows)
    mixed_cells = NonZero (mixed)
    places = MatMul (two_strides, mixed_cells)
    corner, first_line = Split <axis = 0> (places)
    across = Add (width, one)
    offsets = Concat <axis = 0> (zero, one, width, across)
    offsets_column = Unsqueeze (offsets, one)
    four_corners = Add (corner, offsets_column)
    by_classes = Concat <axis = 0> (last, classes)
    rows_of_logits = Reshape (small, by_classes)
    logits = Reshape (small, last)
    of_corners = Gather (rows_of_logits, four_corners)
    sum = ReduceSum <keepdims = 0> (of_corners, zero)
    leader = ArgMax <axis = 1, keepdims = 0> (sum)
    first_logit = Mul (four_corners, classes)
    leaders_place = Add (first_logit, leader)
    leaders = Gather (logits, leaders_place)
    leaders_column = Unsqueeze (leaders, two)
    behind_leader = Sub (of_corners, leaders_column)
    nearest = ReduceMax <axes = [0], keepdims = 0> (behind_leader)
    possible = GreaterOrEqual (nearest, minus_margin)
    possible_numbers = Cast <to = 6> (possible)
    list_lengths = ReduceSum <keepdims = 0> (possible_numbers, one)
    lengths = Cast <to = 7> (list_lengths)
    total = ReduceSum <keepdims = 0> (lengths)
    weighted = Mul (total, lists_that_pay)
    all_logits = Size (small)
    short_lists = LessOrEqual (weighted, all_logits)
    ids_of_lists = If (short_lists) <
        then_branch = sparse () => (uint8[n, H, W] ids_sparse) $sparse,
        else_branch = whole () => (uint8[n, H, W] ids_3) $dense_3
    >
}"""

_SPARSE = """{
    pairs = NonZero (possible)
    lists = Gather (pairs, single)
    ends = CumSum (lengths, none)
    starts = Sub (ends, lengths)
    lengths_and_zero = Concat <axis = 0> (lengths, zero)
    longest = ReduceMax <keepdims = 0> (lengths_and_zero)
    any = Greater (longest, none)
    class_of_cell = Cast <to = 2> (highest_class)
    cell_shape = Concat <axis = 0> (number, inner_rows, one, inner_columns, one)
    cell_classes = Reshape (class_of_cell, cell_shape)
    full_shape = Concat <axis = 0> (number, inner_rows, s, inner_columns, s)
    full_cells = Expand (cell_classes, full_shape)
    by_lines = Concat <axis = 0> (last, s)
    canvas = Reshape (full_cells, by_lines)
    further_lines = Mul (lines, inner_columns)
    upto_longest, painted = Loop (many, any, none, canvas) <body = paint
        (int64 turn, bool going, int64 done, uint8[l, s] before) => (bool more, int64 upto, uint8[l, s] after) {
        left = Greater (lengths, done)
        left_lengths = Where (left, lengths, many)
        fewest = ReduceMin <keepdims = 0> (left_lengths)
        fewest_number = Cast <to = 1> (fewest)
        upto_number = Mul (fewest_number, more_by_half)
        upto = Cast <to = 7> (upto_number)
        short = LessOrEqual (lengths, upto)
        taken = And (left, short)
        taken_places = NonZero (taken)
        cells = Reshape (taken_places, last)
        own_lengths = Gather (lengths, cells)
        most = ReduceMax <keepdims = 0> (own_lengths)
        ranks = Range (none, most, single)
        rank_column = Unsqueeze (ranks, one)
        last_rank = Sub (own_lengths, single)
        rank = Min (rank_column, last_rank)
        own_starts = Gather (starts, cells)
        entry = Add (own_starts, rank)
        candidate = Gather (lists, entry)
        own_corners = Gather <axis = 1> (first_logit, cells)
        corner_column = Unsqueeze (own_corners, one)
        logit_places = Add (corner_column, candidate)
        low = Gather (logits, logit_places)
        low_image = Reshape (low, corners)
        low_shape = Shape (low_image)
        high_shape = Mul (low_shape, patch)
        high_image = Resize <mode = "linear", coordinate_transformation_mode = "tf_crop_and_resize">
            (low_image, inside, , high_shape)
        candidate_shape = Shape (candidate)
        by_candidates = Concat <axis = 0> (area, candidate_shape)
        high = Reshape (high_image, by_candidates)
        winner = ArgMax <axis = 1, keepdims = 0> (high)
        candidate_bytes = Cast <to = 2> (candidate)
        won = GatherElements <axis = 0> (candidate_bytes, winner)
        won_cells = Transpose <perm = [1, 0]> (won)
        won_lines = Reshape (won_cells, by_lines)
        own_line = Gather <axis = 1> (first_line, cells)
        own_line_column = Reshape (own_line, column)
        own_lines = Add (own_line_column, further_lines)
        own_lines_column = Reshape (own_lines, column)
        after = ScatterND (before, own_lines_column, won_lines)
        more = Less (upto, longest)
    }>
    inner_shape = Concat <axis = 0> (number, inner_height, inner_width)
    inner = Reshape (painted, inner_shape)
    top_sizes = Concat <axis = 0> (number, one, full_width, classes)
    bottom_sizes = Concat <axis = 0> (number, two, full_width, classes)
    left_sizes = Concat <axis = 0> (number, full_height, one, classes)
    right_sizes_ = Concat <axis = 0> (number, full_height, two, classes)
    down = Concat <axis = 0> (one, half, one)
    aside = Concat <axis = 0> (one, one, half)
    $sides
    top = Slice (top_band, half, but_half, two)
    bottom = Slice (bottom_band, half, but_half, two)
    middle = Concat <axis = 1> (top, inner, bottom)
    ids_sparse = Concat <axis = 2> (left_band, middle, right_band)
}"""

_SIDE = """
    ${side}_low = Slice (small, $start, $stop, $axis)
    ${side}_high = Resize <mode = "linear", coordinate_transformation_mode = "pytorch_half_pixel"> (${side}_low, , , $sizes)
    ${side}_logits = Slice (${side}_high, zero, one, $axis)
    ${side}_class = ArgMax <axis = 3, keepdims = 0> (${side}_logits)
    ${side}_line = Cast <to = 2> (${side}_class)
    ${side}_band = Expand (${side}_line, $repeats)
"""

_SIDES = (  # name, start and stop of the logits' outermost rows or columns, axis, sizes, how often the line is repeated
    ("top", "zero", "two", "one", "top_sizes", "down"),
    ("bottom", "last", "end", "one", "bottom_sizes", "down"),
    ("left", "zero", "two", "two", "left_sizes", "aside"),
    ("right", "last", "end", "two", "right_sizes_", "aside"),
)


def decision(factor: int) -> GraphProto:
    """A graph that computes IDS from SMALL and SIZES, for logits upsampled by `factor`, one of FACTORS, in height and width.

    The names of all its other tensors begin with PREFIX.
    """
    numbers = {
        "s": factor,
        "half": factor // 2,
        "area": factor**2,
        "lines": ", ".join(map(str, range(factor))),
        "first": 1 / (2 * factor),
        "final": 1 - 1 / (2 * factor),
        "relative": MARGIN,
        "least_margin": LEAST_MARGIN,
        "cells_that_pay": min(1.0, factor**2 / PIXELS_THAT_PAY),
        "lists_that_pay": LISTS_THAT_PAY,
    }
    dense = {f"dense_{place}": Template(_DENSE).substitute(place=place) for place in (1, 2, 3)}
    names = ("side", "start", "stop", "axis", "sizes", "repeats")
    sides = "".join(Template(_SIDE).substitute(dict(zip(names, side, strict=True))) for side in _SIDES)
    sparse = Template(_SPARSE).substitute(sides=sides)
    lists = Template(_LISTS).substitute(dense, sparse=sparse)
    cells = Template(_CELLS).substitute(dense, lists_of_classes=lists)
    text = Template(_FITTING).substitute(dense, cells=cells, constants=Template(_CONSTANTS).substitute(numbers))
    graph: GraphProto = onnx.compose.add_prefix_graph(onnx.parser.parse_graph(text), PREFIX)
    graph.node[-1].output[0] = graph.output[0].name = IDS
    return graph


def at_worst(model: ModelProto) -> ModelProto:
    """`model`, changed to take the most memory on every image: it lists all classes of all cells, finds them too many, and
    upsamples the whole. A model without this decision is returned unchanged."""
    worst = ModelProto()
    worst.CopyFrom(model)
    changed = {"sure": np.float32(-1), "cells_that_pay": np.float32(1), "lists_that_pay": np.int64(2**31)}
    for tensor in worst.graph.initializer:
        name = tensor.name.removeprefix(PREFIX)
        if tensor.name.startswith(PREFIX) and name in changed:
            tensor.CopyFrom(numpy_helper.from_array(np.array(changed[name]), tensor.name))
    return worst
