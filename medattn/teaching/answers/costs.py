"""Checks of tutorial 10: counting by hand."""

from medattn.teaching.errors import NotYet, Solution, call_solution


def conv_multiply_adds(function: Solution) -> str:
    """`conv_multiply_adds(height, width, kernel, channels, filters)`."""
    found = call_solution(function, 32, 16, 3, 8, 10)
    # one product for each weight of the kernel, at each position of the output
    if found != 32 * 16 * 3 * 3 * 8 * 10:
        raise NotYet(
            f"Expected {32 * 16 * 720}. Received: {found}. Hint: one filter's window "
            "has kernel * kernel * channels weights, used at every position."
        )
    return "so a 3 x 3 convolution costs nine times a 1 x 1."


def gate_parameters(function: Solution) -> str:
    """`gate_parameters(channels, ratio, kind)`: of an SE or a CBAM gate."""
    sums = {"se": 0, "cbam": 0}
    for channels in (256, 512, 1024, 1024):  # DenseNet-121's four stages
        for kind in sums:
            sums[kind] += call_solution(function, channels, 16, kind)
    if sums["se"] != 303_104:
        raise NotYet(
            "SE's four gates in DenseNet-121 have 303,104 parameters. Received: "
            f"{sums['se']}. Hint: two dense maps without biases, channels to "
            "channels / ratio and back."
        )
    if sums["cbam"] != 303_104 + 3_392:
        raise NotYet(
            "CBAM's four gates in DenseNet-121 have 306,496 parameters. Received: "
            f"{sums['cbam']}. Hint: SE's and the biases of both maps, and the spatial "
            "gate: a 7 x 7 window on two maps, and a batch norm's scale and shift."
        )
    return "your counts are the published ones, to the parameter."
