with

actuals as (
    select * from {{ ref('kpi_actuals') }}
),

kpis as (
    select * from {{ ref('kpis') }}
),

targets as (
    select
        *,
        lead(from_month) over (partition by kpi order by from_month asc nulls last) as next_from_month
    from {{ ref('kpi_targets') }}
),

run_context as (
    select near_target_attainment, points_usage_target from {{ ref('run_context') }}
),

targeted as (
    select
        actuals.*,
        run_context.near_target_attainment,
        -- steps of a target are no binary fractions: rounded, so that a figure of exactly the target meets it
        cast(cast(
            case
                when actuals.kpi = 'points_usage_rate' then run_context.points_usage_target
                when targets.to_month is null then targets.from_value
                when actuals.month >= targets.to_month then targets.to_value
                else
                    targets.from_value
                    + (targets.to_value - targets.from_value)
                    * {{ ratio(
                        month_diff('targets.from_month', 'actuals.month'), month_diff('targets.from_month', 'targets.to_month')
                    ) }}
            end as decimal(28, 6)
        ) as double) as target
    from actuals
    cross join run_context
    -- the stretches of a KPI follow each other, so a month lies in one at most
    left join targets
        on actuals.kpi = targets.kpi
        and actuals.month >= targets.from_month
        and (actuals.month < targets.next_from_month or targets.next_from_month is null)
),

-- an earlier month of a KPI is one row at most
compared as (
    select
        targeted.*,
        kpis.kpi_rank,
        kpis.label_en,
        kpis.label_zh,
        kpis.unit,
        kpis.is_higher_better,
        kpis.owner_en,
        kpis.owner_zh,
        kpis.definition_en,
        kpis.definition_zh,
        kpis.source_mart,
        previous.actual as previous_actual,
        {{ difference_low('targeted.actual', 'targeted.actual_low', 'previous.actual', 'previous.actual_high') }} as change_month_low,
        {{ difference_high('targeted.actual', 'targeted.actual_high', 'previous.actual', 'previous.actual_low') }} as change_month_high,
        last_year.actual as last_year_actual,
        {{ difference_low('targeted.actual', 'targeted.actual_low', 'last_year.actual', 'last_year.actual_high') }} as change_year_low,
        {{ difference_high('targeted.actual', 'targeted.actual_high', 'last_year.actual', 'last_year.actual_low') }} as change_year_high
    from targeted
    inner join kpis on targeted.kpi = kpis.kpi
    left join actuals as previous
        on targeted.kpi = previous.kpi and {{ add_months('targeted.month', -1) }} = previous.month
    left join actuals as last_year
        on targeted.kpi = last_year.kpi and {{ add_months('targeted.month', -12) }} = last_year.month
),

-- what is not complete is neither compared nor judged: it would look like a fall
judged as (
    select
        *,
        case when is_complete then actual end as final_actual,
        case
            when is_higher_better then {{ ratio('actual', 'case when target > 0e0 then target end') }}
            else {{ ratio('target', 'case when actual > 0e0 then actual end') }}
        end as target_ratio,
        case when is_higher_better then actual >= target else actual <= target end as is_met
    from compared
),

final as (
    select
        month,
        kpi,
        kpi_rank,
        label_en,
        label_zh,
        unit,
        is_higher_better,
        actual,
        actual_low,
        actual_high,
        sample_size,
        target,
        case when is_complete then target_ratio end as attainment,
        previous_actual as previous_month,
        last_year_actual as same_month_last_year,
        final_actual - previous_actual as change,
        case
            when is_complete then coalesce(is_change_significant, change_month_low > 0e0 or change_month_high < 0e0)
        end as is_change_significant,
        final_actual - last_year_actual as change_year,
        case when is_complete then change_year_low > 0e0 or change_year_high < 0e0 end as is_change_year_significant,
        case
            when not is_complete then 'incomplete'
            when actual is null then 'no_figure'
            when target is null then 'no_target'
            when is_met then 'met'
            when target_ratio >= cast(near_target_attainment as double) then 'near'
            else 'missed'
        end as status,
        is_complete,
        owner_en,
        owner_zh,
        definition_en,
        definition_zh,
        source_mart
    from judged
)

{{ select_with_labels('final') }}
