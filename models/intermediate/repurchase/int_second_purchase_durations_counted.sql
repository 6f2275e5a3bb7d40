with

purchases as (
    select * from {{ ref('int_customer_purchases_summarised') }}
),

customer_dimensions as (
    select * from {{ ref('int_customer_dimensions_listed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- who has not bought again is censored: known to have waited at least until the as-of date
durations as (
    select
        purchases.customer_id,
        purchases.second_purchase_on is not null as is_event,
        case
            when purchases.second_purchase_on is not null
                then {{ day_diff('purchases.first_purchase_on', 'purchases.second_purchase_on') }}
            else {{ day_diff('purchases.first_purchase_on', 'run_context.as_of_date') }}
        end as days
    from purchases
    cross join run_context
),

counted as (
    select
        customer_dimensions.dimension,
        customer_dimensions.dimension_value,
        durations.days,
        count(*) filter (where durations.is_event) as events,
        count(*) filter (where not durations.is_event) as censored
    from durations
    inner join customer_dimensions on durations.customer_id = customer_dimensions.customer_id
    group by customer_dimensions.dimension, customer_dimensions.dimension_value, durations.days
),

final as (
    select
        dimension,
        dimension_value,
        days,
        events,
        censored,
        -- everyone whose duration is at least this long: events of a day come before its censorings
        cast(sum(events + censored) over (
            partition by dimension, dimension_value
            order by days desc nulls last
            rows between unbounded preceding and current row
        ) as bigint) as at_risk
    from counted
)

select * from final
