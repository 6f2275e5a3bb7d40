with

cadences as (
    select * from {{ ref('int_customer_cadences_estimated') }}
),

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

predictions as (
    select customer_id, next_purchase_days from {{ ref('int_customer_predictions_scored') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

intervals as (
    select
        customer_id,
        count(*) as purchase_days,
        {{ median('days_since_previous_purchase') }} as median_interval_days
    from purchase_days
    group by customer_id
),

final as (
    select
        cadences.customer_id,
        run_context.as_of_date,
        intervals.purchase_days,
        cadences.last_purchase_on,
        cast(cadences.days_since_last_purchase as integer) as days_since_last_purchase,
        intervals.median_interval_days,
        cadences.expected_interval_days,
        cadences.purchase_due_probability,
        cadences.next_purchase_on,
        -- beyond ten years it is no forecast any more; a day that is reached exactly may come out a rounding error later
        case
            when predictions.next_purchase_days <= 3650e0
                then {{ add_days('run_context.as_of_date', 'cast(ceil(predictions.next_purchase_days - 1e-9) as integer)') }}
        end as predicted_next_purchase_on,
        cadences.overdue_on,
        cadences.cadence_status
    from cadences
    inner join run_context on cadences.snapshot_on = run_context.as_of_date
    inner join intervals on cadences.customer_id = intervals.customer_id
    -- one row per customer at most
    left join predictions on cadences.customer_id = predictions.customer_id
)

{{ select_with_labels('final') }}
