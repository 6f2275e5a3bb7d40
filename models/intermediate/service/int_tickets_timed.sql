with

tickets as (
    select * from {{ ref('stg_tickets') }}
),

aliases as (
    select * from {{ ref('int_customer_aliases_listed') }}
),

service_targets as (
    select * from {{ ref('service_targets') }}
),

run_context as (
    select
        as_of_date,
        business_timezone,
        {{ end_of_day('as_of_date', 'business_timezone') }} as as_of_ended_at
    from {{ ref('run_context') }}
),

dated_tickets as (
    select
        tickets.*,
        {{ business_day('tickets.opened_at', 'run_context.business_timezone') }} as opened_on,
        {{ business_day('tickets.first_responded_at', 'run_context.business_timezone') }} as first_responded_on,
        {{ business_day('tickets.resolved_at', 'run_context.business_timezone') }} as resolved_on,
        run_context.as_of_date,
        run_context.as_of_ended_at
    from tickets
    cross join run_context
),

-- an answer that comes after the as-of date has not been given yet
known_tickets as (
    select
        *,
        coalesce(first_responded_on <= as_of_date, false) as is_first_responded,
        coalesce(resolved_on <= as_of_date, false) as is_resolved,
        {{ hours_between('opened_at', 'as_of_ended_at') }} as waited_hours
    from dated_tickets
    where opened_on <= as_of_date
),

-- one that is dated before its ticket says nothing of how long it took
timed_tickets as (
    select
        *,
        case
            when is_first_responded and first_responded_at >= opened_at
                then {{ hours_between('opened_at', 'first_responded_at') }}
        end as first_response_hours,
        case
            when is_resolved and resolved_at >= opened_at
                then {{ hours_between('opened_at', 'resolved_at') }}
        end as resolution_hours
    from known_tickets
),

targeted_tickets as (
    select
        timed_tickets.*,
        coalesce(own_targets.first_response_hours, other_targets.first_response_hours) as first_response_target_hours,
        coalesce(own_targets.resolution_hours, other_targets.resolution_hours) as resolution_target_hours
    from timed_tickets
    -- a priority has one row, and so has every other one
    left join service_targets as own_targets on lower(timed_tickets.priority) = own_targets.priority
    left join service_targets as other_targets on other_targets.priority = 'default'
),

judged_tickets as (
    select
        *,
        -- a ticket that still waits misses its target once the target has passed, and until then does not count
        {% for is_done, measure in [('is_first_responded', 'first_response'), ('is_resolved', 'resolution')] %}
        case
            when {{ is_done }} then {{ measure }}_hours <= {{ measure }}_target_hours
            when waited_hours > {{ measure }}_target_hours then false
        end as is_within_{{ measure }}_target{% if not loop.last %},{% endif %}
        {% endfor %}
    from targeted_tickets
),

final as (
    select
        judged_tickets.ticket_id,
        coalesce(aliases.customer_id, judged_tickets.customer_id) as customer_id,
        judged_tickets.opened_at,
        judged_tickets.opened_on,
        judged_tickets.category,
        judged_tickets.priority,
        judged_tickets.channel,
        judged_tickets.is_complaint,
        judged_tickets.reopened_count,
        judged_tickets.is_first_responded,
        judged_tickets.is_resolved,
        judged_tickets.first_response_hours,
        judged_tickets.resolution_hours,
        judged_tickets.first_response_target_hours,
        judged_tickets.resolution_target_hours,
        judged_tickets.is_within_first_response_target,
        judged_tickets.is_within_resolution_target,
        coalesce(judged_tickets.is_complaint, false)
        or coalesce(judged_tickets.reopened_count > 0, false)
        or coalesce(not judged_tickets.is_within_first_response_target, false)
        or coalesce(not judged_tickets.is_within_resolution_target, false) as is_bad
    from judged_tickets
    left join aliases on judged_tickets.customer_id = aliases.alias_id
)

select * from final
