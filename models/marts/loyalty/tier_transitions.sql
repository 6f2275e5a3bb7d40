with

assigned_tiers as (
    select month_start, customer_id, tier from {{ ref('int_customer_tiers_assigned') }}
),

months as (
    select month_start, is_complete from {{ ref('int_loyalty_months_listed') }}
),

-- the end of a month is where the next begins, so each tier stands in two months
ends as (
    select
        month_start,
        customer_id,
        cast(null as {{ dbt.type_string() }}) as from_tier,
        tier as to_tier
    from assigned_tiers
    union all
    select
        {{ add_months('month_start', 1) }} as month_start,
        customer_id,
        tier as from_tier,
        cast(null as {{ dbt.type_string() }}) as to_tier
    from assigned_tiers
),

moves as (
    select
        month_start,
        customer_id,
        coalesce(max(from_tier), 'none') as from_tier,
        coalesce(max(to_tier), 'closed') as to_tier
    from ends
    group by month_start, customer_id
),

counted as (
    select
        month_start,
        from_tier,
        to_tier,
        count(*) as customers
    from moves
    group by month_start, from_tier, to_tier
),

compared as (
    select
        *,
        sum(customers) over (partition by month_start, from_tier) as from_customers
    from counted
),

final as (
    select
        compared.month_start as month,
        compared.from_tier,
        compared.to_tier,
        compared.customers,
        case when compared.from_tier != 'none' then cast(compared.from_customers as bigint) end as from_customers,
        case
            when compared.from_tier != 'none' then {{ ratio('compared.customers', 'compared.from_customers') }}
        end as share_of_from_tier,
        months.is_complete
    from compared
    -- the month after the last has not begun
    inner join months on compared.month_start = months.month_start
)

{{ select_with_labels('final') }}
