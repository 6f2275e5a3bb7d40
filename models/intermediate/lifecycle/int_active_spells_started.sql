with

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

cadences as (
    select snapshot_on, prior_shape, prior_scale from {{ ref('int_customer_cadences_estimated') }}
),

run_context as (
    select * from {{ ref('run_context') }}
),

overdue_band as (
    select from_probability as overdue_probability from {{ ref('cadence_bands') }}
    where cadence_status = 'overdue'
),

-- one row: the rhythm of the whole base as it is known today, by which the past is judged too
population as (
    select
        run_context.lapsed_days,
        run_context.loyal_purchase_days,
        overdue_band.overdue_probability,
        max(cadences.prior_shape) as prior_shape,
        max(cadences.prior_scale) as prior_scale
    from run_context
    cross join overdue_band
    left join cadences on run_context.as_of_date = cadences.snapshot_on
    group by
        run_context.lapsed_days,
        run_context.loyal_purchase_days,
        overdue_band.overdue_probability
),

-- the rhythm as it stood before each purchase, from the purchases up to the one before
rhythms as (
    select
        purchase_days.customer_id,
        purchase_days.purchase_on,
        purchase_days.purchase_number,
        purchase_days.days_since_previous_purchase,
        population.lapsed_days,
        population.loyal_purchase_days,
        population.overdue_probability,
        population.prior_shape + purchase_days.purchase_number - 2 as shape,
        population.prior_scale
        + {{ day_diff('purchase_days.first_purchase_on', 'purchase_days.previous_purchase_on') }} as scale
    from purchase_days
    cross join population
),

-- the day before the purchase is the last on which it was still missing
gaps as (
    select
        *,
        {{ cadence_probability('shape', 'scale', '(days_since_previous_purchase - 1)') }} as missing_probability
    from rhythms
),

-- a purchase wakes the customer where the gap before it had gone overdue or lapsed; the first one always does
wakings as (
    select
        customer_id,
        purchase_on,
        purchase_number,
        loyal_purchase_days,
        case
            when purchase_number = 1 then true
            when days_since_previous_purchase >= lapsed_days then true
            else coalesce(missing_probability >= overdue_probability, false)
        end as is_waking
    from gaps
),

final as (
    select
        customer_id,
        max(case when is_waking then purchase_on end) as active_since,
        min(case when purchase_number = loyal_purchase_days then purchase_on end) as loyal_since
    from wakings
    group by customer_id
)

select * from final
