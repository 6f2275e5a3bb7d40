{% set longest = '36500e0' %}

with

snapshots as (
    select * from {{ ref('int_customer_snapshots_taken') }}
),

run_context as (
    select cadence_prior_intervals from {{ ref('run_context') }}
),

parameters as (
    select r, alpha from {{ ref('int_btyd_parameters_pivoted') }}
),

cadence_bands as (
    select
        cadence_status,
        from_probability,
        lead(from_probability) over (order by from_probability asc nulls last) as below_probability
    from {{ ref('cadence_bands') }}
),

overdue_band as (
    select from_probability as overdue_probability from cadence_bands
    where cadence_status = 'overdue'
),

measured as (
    select
        snapshot_on,
        month_start,
        customer_id,
        last_purchase_on,
        purchase_days - 1 as intervals,
        {{ day_diff('first_purchase_on', 'last_purchase_on') }} as interval_days,
        {{ day_diff('last_purchase_on', 'snapshot_on') }} as days_since_last_purchase
    from snapshots
),

population as (
    select
        snapshot_on,
        {{ ratio('sum(interval_days)', 'sum(intervals)') }} as mean_interval_days
    from measured
    group by snapshot_on
),

-- the fit that is used now judges every month end, so that no stage changes because a fit came. Without one the mean of completed
-- intervals stands in, null where nobody has bought twice yet: there is no rhythm to compare with
priors as (
    select
        population.snapshot_on,
        coalesce(parameters.r, run_context.cadence_prior_intervals) as prior_shape,
        coalesce(
            parameters.alpha, run_context.cadence_prior_intervals * population.mean_interval_days
        ) as prior_scale
    from population
    cross join run_context
    cross join parameters
),

distributions as (
    select
        measured.*,
        priors.prior_shape,
        priors.prior_scale,
        -- with nothing mixed in, whoever bought once has no rhythm
        nullif(priors.prior_shape + measured.intervals, 0) as shape,
        nullif(priors.prior_scale + measured.interval_days, 0) as scale
    from measured
    inner join priors on measured.snapshot_on = priors.snapshot_on
),

placed as (
    select
        distributions.*,
        distributions.scale / distributions.shape as expected_interval_days,
        {{ cadence_probability('distributions.shape', 'distributions.scale', 'distributions.days_since_last_purchase') }}
            as purchase_due_probability,
        {{ cadence_quantile('distributions.shape', 'distributions.scale', '0.5e0') }} as even_chance_days,
        {{ cadence_quantile('distributions.shape', 'distributions.scale', 'overdue_band.overdue_probability') }}
            as overdue_days
    from distributions
    cross join overdue_band
),

final as (
    select
        placed.snapshot_on,
        placed.month_start,
        placed.customer_id,
        placed.last_purchase_on,
        placed.days_since_last_purchase,
        placed.prior_shape,
        placed.prior_scale,
        placed.expected_interval_days,
        placed.purchase_due_probability,
        coalesce(cadence_bands.cadence_status, 'unknown') as cadence_status,
        -- a day that is reached exactly may come out a rounding error later; a rhythm of more than a hundred years is none
        case
            when placed.even_chance_days <= {{ longest }}
                then {{ add_days('placed.last_purchase_on', 'cast(ceil(placed.even_chance_days - 1e-9) as integer)') }}
        end as next_purchase_on,
        case
            when placed.overdue_days <= {{ longest }}
                then {{ add_days('placed.last_purchase_on', 'cast(ceil(placed.overdue_days - 1e-9) as integer)') }}
        end as overdue_on
    from placed
    -- bands are half-open and do not overlap, so at most one matches
    left join cadence_bands
        on placed.purchase_due_probability >= cadence_bands.from_probability
        and (
            placed.purchase_due_probability < cadence_bands.below_probability
            or cadence_bands.below_probability is null
        )
)

select * from final
