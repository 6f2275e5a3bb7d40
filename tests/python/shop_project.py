"""A dbt project of two marts, small enough for a test to refresh it many times."""

import shutil
from pathlib import Path
from textwrap import dedent

from orchestration.settings import ROOT

FILES = {
    "dbt_project.yml": """
        name: shop
        version: "1.0"
        config-version: 2
        profile: shop
        model-paths: [models]
        test-paths: [tests]
        seed-paths: []
        macro-paths: [macros]
        vars:
          settings:
            company_name: {kind: text, default: Shop, text_en: Name, text_zh: 名称}
            company_id: {kind: text, default: company_name, text_en: Id, text_zh: 标识}
            business_timezone: {kind: time_zone, default: UTC, text_en: Zone, text_zh: 时区}
            timestamps_without_offset: {kind: time_zone, default: business_timezone, text_en: Zone, text_zh: 时区}
            reporting_currency: {kind: text, default: CNY, text_en: Currency, text_zh: 币种}
            rows_fall_limit: {kind: share, minimum: 0, maximum: 1, default: 0.1, text_en: Rows, text_zh: 行数}
            revenue_fall_limit: {kind: share, minimum: 0, maximum: 1, default: 0.1, text_en: Revenue, text_zh: 收入}
            rejected_share_limit: {kind: share, minimum: 0, maximum: 1, default: 0.05, text_en: Share, text_zh: 占比}
            rejected_rows_limit: {kind: count, minimum: 0, maximum: 999, default: 100, text_en: Rows, text_zh: 行数}
            rejected_share_warning: {kind: share, minimum: 0, maximum: 1, default: 0.01, text_en: Share, text_zh: 占比}
            publications_kept: {kind: count, minimum: 1, maximum: 9, default: 2, text_en: Kept, text_zh: 保留}
            data_owner: {kind: text, default: none, text_en: Owner, text_zh: 负责人}
            new_files_due: {kind: text, default: orders 1, text_en: Due, text_zh: 期限}
            publication_due_hours: {kind: count, minimum: 1, maximum: 999, default: 30, text_en: Due, text_zh: 期限}
            files_rest_seconds: {kind: count, minimum: 1, maximum: 999, default: 120, text_en: Rest, text_zh: 静置}
            active_days: {kind: count, minimum: 1, maximum: 999, default: 90, text_en: Days, text_zh: 天数}
            language: {kind: choice, choices: [en, zh], default: en, text_en: Language, text_zh: 语言}
            alert_digest: {kind: boolean, default: false, text_en: Digest, text_zh: 摘要}
        models:
          shop:
            staging: {+schema: staging}
            marts: {+schema: marts, +materialized: table}
            quality: {+schema: quality, +materialized: table}
    """,
    "profiles.yml": """
        shop:
          target: duckdb
          outputs:
            duckdb:
              type: duckdb
              path: "{{ env_var('STICKINESS_WAREHOUSE_DIR', 'warehouse') }}/build/warehouse.duckdb"
    """,
    "macros/generate_schema_name.sql": """
        {% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name or 'main' }}{% endmacro %}
    """,
    "models/staging/raw/raw.yml": """
        version: 2
        sources:
          - name: raw
            schema: raw
            tables:
              - name: orders
                description: Each row is one order.
                config: {meta: {key: [order_id]}}
                columns:
                  - {name: order_id, data_type: text, config: {meta: {required: true}}}
                  - {name: amount, data_type: number, config: {meta: {required: true}}}
                  - {name: email, data_type: text, config: {meta: {personal: true}}}
              - name: tickets
                description: Each row is one ticket.
                config: {meta: {key: [ticket_id]}}
                columns:
                  - {name: ticket_id, data_type: text, config: {meta: {required: true}}}
          - name: operations
            schema: operations
            tables: [{name: run_parameters}, {name: raw_files}]
    """,
    "models/staging/run_context.sql": """
        select coalesce(requested_as_of_date, date '2026-01-31') as as_of_date, started_at
        from {{ source('operations', 'run_parameters') }}
    """,
    "models/marts/sales/orders.sql": """
        select order_id, cast(amount as decimal(9, 2)) as amount, email
        from {{ source('raw', 'orders') }} order by order_id desc
    """,
    "models/marts/sales/orders.yml": """
        version: 2
        models:
          - name: orders
            description: One row per order.
            config:
              meta:
                label_en: Orders
                label_zh: 订单
                figures: {sold: sum(amount), worthless: sum(amount) filter (where amount = 0)}
            data_tests:
              - unique:
                  name: an_order_stands_once
                  description: An order stands once. Where it fails, look at the export.
                  arguments: {column_name: order_id}
                  config: {severity: warn}
    """,
    "models/quality/raw_files.sql": "select table_name, rows_read from {{ source('operations', 'raw_files') }}",
    "tests/assert_no_order_is_negative.sql": "select * from {{ ref('orders') }} where amount < 0",
}


def write_shop(root: Path) -> Path:
    """Write the project into a folder, and return the folder."""
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content), encoding="utf-8")
    # the words that landing reads; dbt builds no seed of this project
    (root / "seeds").mkdir()
    for name in ("words_for_nothing", "nobody_ids"):
        shutil.copy(ROOT / "seeds" / f"{name}.csv", root / "seeds")
    return root
