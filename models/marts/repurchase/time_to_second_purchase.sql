with

durations as (
    select * from {{ ref('int_second_purchase_durations_counted') }}
),

-- Kaplan and Meier (1958): survival is the product of (1 - events / at risk), summed here as logarithms. A day on which all who
-- are at risk buy ends the curve at zero, which has no logarithm, so it is marked and handled below.
increments as (
    select
        *,
        case when events < at_risk then ln(1e0 - events / cast(at_risk as double)) else 0e0 end as log_survival_step,
        case
            when events < at_risk then cast(events as double) / (cast(at_risk as double) * (at_risk - events))
            else 0e0
        end as greenwood_step,
        case when events = at_risk then 1 else 0 end as ends_curve
    from durations
),

accumulated as (
    select
        *,
        sum(log_survival_step) over curve as log_survival,
        sum(greenwood_step) over curve as greenwood,
        max(ends_curve) over curve as has_ended
    from increments
    window curve as (
        partition by dimension, dimension_value
        order by days asc nulls last
        rows between unbounded preceding and current row
    )
),

-- Greenwood's variance on the scale of log(-log(survival)), which keeps the interval inside 0..1 (Kalbfleisch and Prentice 2002,
-- section 1.4). Undefined while nobody has bought and once everybody has.
estimated as (
    select
        *,
        case when has_ended = 1 then 0e0 else exp(log_survival) end as survival,
        case
            when has_ended = 0 and log_survival < 0e0
                then {{ z_95() }} * sqrt(greenwood) / abs(log_survival)
        end as log_log_margin
    from accumulated
),

intervals as (
    select
        *,
        1e0 - exp(log_survival * exp(-log_log_margin)) as repurchase_probability_low,
        1e0 - exp(log_survival * exp(log_log_margin)) as repurchase_probability_high
    from estimated
),

medians as (
    select
        dimension,
        dimension_value,
        -- through logarithms a survival of exactly one half comes out a rounding error above it
        min(case when survival <= 0.5e0 + 1e-12 then days end) as median_days
    from estimated
    group by dimension, dimension_value
),

final as (
    select
        intervals.dimension,
        intervals.dimension_value,
        cast(intervals.days as integer) as days,
        intervals.at_risk,
        intervals.events,
        intervals.censored,
        1e0 - intervals.survival as repurchase_probability,
        intervals.repurchase_probability_low,
        intervals.repurchase_probability_high,
        cast(medians.median_days as integer) as median_days,
        intervals.repurchase_probability_low as ci_low,
        intervals.repurchase_probability_high as ci_high
    from intervals
    inner join medians
        on intervals.dimension = medians.dimension
        and intervals.dimension_value = medians.dimension_value
)

{{ select_with_labels('final') }}
