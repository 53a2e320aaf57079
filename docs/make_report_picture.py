"""Draw docs/report.png, the report's main panels: `python docs/make_report_picture.py`."""

import tempfile
from pathlib import Path

from affetto.apps import soundtrack
from affetto.apps.report import write_report_picture
from affetto.apps.report_data import ReportData
from affetto.apps.soundtrack_job import Job

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Run the job as `make demo` does and draw what its report shows."""
    shown: list[ReportData] = []
    write_report = soundtrack.write_report

    def keep(path: Path, data: ReportData) -> None:
        shown.append(data)
        write_report(path, data)

    soundtrack.write_report = keep
    with tempfile.TemporaryDirectory() as folder:
        film = ROOT / "samples" / "lantern_boat.mp4"
        soundtrack.run(Job(video=film, out=Path(folder) / "out", seed=7))
    write_report_picture(ROOT / "docs" / "report.png", shown[0])


if __name__ == "__main__":
    main()
