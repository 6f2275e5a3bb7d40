with

stretches as (
    select * from {{ ref('int_points_lots_consumed') }}
),

states as (
    select * from {{ ref('int_points_lots_followed') }}
    where periods_back = 0
),

developed as (
    select * from {{ ref('int_points_redemption_developed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

final as (
    select
        stretches.member_id,
        stretches.stretch_number,
        coalesce(substr(cast(stretches.expires_on as {{ dbt.type_string() }}), 1, 7), 'no expiry') as expiry_bucket,
        coalesce(stretches.expires_on <= run_context.as_of_date, false) as is_past_expiry,
        {{ period_start('month', 'stretches.expires_on') }} as expiry_month,
        stretches.points,
        developed.redemption_rate,
        developed.effective_members
    from stretches
    cross join run_context
    -- no state: past its day, or without one; no rate: nothing that had as long left has been followed
    left join states
        on stretches.member_id = states.member_id and stretches.stretch_number = states.stretch_number
    left join developed
        on states.quiet_band = developed.quiet_band and states.periods_left = developed.periods_left
    where stretches.lot_id is not null and stretches.use_id is null
)

select * from final
