with

durations as (
    select * from {{ ref('int_second_purchase_durations_counted') }}
),

dimensions as (
    select dimension, label_en, label_zh from {{ ref('dimensions') }}
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
        estimated.dimension,
        dimensions.label_en as dimension_en,
        dimensions.label_zh as dimension_zh,
        estimated.dimension_value,
        cast(estimated.days as integer) as days,
        estimated.at_risk,
        estimated.events,
        estimated.censored,
        1e0 - estimated.survival as repurchase_probability,
        1e0 - exp(estimated.log_survival * exp(-estimated.log_log_margin)) as ci_low,
        1e0 - exp(estimated.log_survival * exp(estimated.log_log_margin)) as ci_high,
        cast(medians.median_days as integer) as median_days
    from estimated
    inner join medians
        on estimated.dimension = medians.dimension
        and estimated.dimension_value = medians.dimension_value
    left join dimensions on estimated.dimension = dimensions.dimension
)

select * from final
