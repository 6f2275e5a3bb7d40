"""dbt as a refresh starts it: a process that ends with the refresh, so that it never writes on alone.

Run as a file, from whatever folder the dbt project is in: `python -P orchestration/dbt_process.py build`.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from orchestration.lifeline import end_with_starter

    end_with_starter()
    from dbt.cli.main import cli

    cli()
