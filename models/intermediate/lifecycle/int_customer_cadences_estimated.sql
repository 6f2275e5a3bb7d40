with

snapshots as (
    select * from {{ ref('int_customer_snapshots_taken') }}
),

run_context as (
    select cadence_prior_intervals from {{ ref('run_context') }}
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

-- null where nobody has bought twice yet: there is no rhythm to compare with
distributions as (
    select
        measured.*,
        population.mean_interval_days,
        run_context.cadence_prior_intervals + measured.intervals as shape,
        run_context.cadence_prior_intervals * population.mean_interval_days + measured.interval_days as scale
    from measured
    inner join population on measured.snapshot_on = population.snapshot_on
    cross join run_context
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
        placed.mean_interval_days,
        placed.expected_interval_days,
        placed.purchase_due_probability,
        coalesce(cadence_bands.cadence_status, 'unknown') as cadence_status,
        -- a day that is reached exactly may come out a rounding error later
        {{ add_days('placed.last_purchase_on', 'cast(ceil(placed.even_chance_days - 1e-9) as integer)') }} as next_purchase_on,
        {{ add_days('placed.last_purchase_on', 'cast(ceil(placed.overdue_days - 1e-9) as integer)') }} as overdue_on
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
