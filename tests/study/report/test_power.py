"""The section on what a study can show: its rates are those of the simulation."""

from medattn.study.analyse.contrasts import cell_differences
from medattn.study.analyse.results import SHIPPED, read_results
from medattn.study.analyse.simulate import estimate_noise, power_table
from medattn.study.report.power import power_section


def test_the_table_holds_the_rates_of_the_simulation():
    rows = read_results(SHIPPED / "micro.csv")
    (section,) = power_section(rows)
    lines = {line[0]: line for line in section.tables[0].lines}
    assert len(lines) == 6  # three contrasts with six seeds, and with the minimum
    noise = estimate_noise(cell_differences(rows, "transformer − convolution", "auroc"))
    line = lines["transformer − convolution, with the minimum of seeds"]
    rates = power_table(noise, seeds=8, family=4)
    assert line[1:4] == (f"{100 * noise.of_means:.2f}", "8", "4")
    assert line[4] == f"{rates[0].claims:.1%} [{rates[0].claims_high:.1%}]"
    for cell, one in zip(line[-3:], rates[1:], strict=True):
        assert cell.startswith(f"{one.verdicts['better']:.0%}")
    assert lines["SE − none"][-1].startswith("0% + ")  # six seeds confirm nothing
