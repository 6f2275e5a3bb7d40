with

feature_dates as (
    select as_of_date from {{ ref('int_feature_dates_listed') }}
),

tickets as (
    select customer_id, opened_on, is_complaint from {{ ref('int_tickets_timed') }}
    where customer_id is not null
),

responses as (
    select customer_id, response_id, score, responded_at, responded_on from {{ ref('int_survey_responses_resolved') }}
    where survey_type = 'nps' and customer_id is not null
),

recent_tickets as (
    select
        feature_dates.as_of_date,
        tickets.customer_id,
        count(*) as tickets_180d,
        count(*) filter (
            where tickets.is_complaint and tickets.opened_on > {{ add_days('feature_dates.as_of_date', -90) }}
        ) as complaints_90d
    from tickets
    inner join feature_dates
        on tickets.opened_on <= feature_dates.as_of_date
        and tickets.opened_on > {{ add_days('feature_dates.as_of_date', -180) }}
    group by feature_dates.as_of_date, tickets.customer_id
),

ranked_responses as (
    select
        feature_dates.as_of_date,
        responses.customer_id,
        responses.score,
        responses.responded_on,
        row_number() over (
            partition by feature_dates.as_of_date, responses.customer_id
            order by responses.responded_at desc nulls last, responses.response_id desc nulls last
        ) as answer_rank
    from responses
    inner join feature_dates
        on responses.responded_on <= feature_dates.as_of_date
        and responses.responded_on > {{ add_days('feature_dates.as_of_date', -365) }}
),

latest_responses as (
    select * from ranked_responses
    where answer_rank = 1
),

final as (
    select
        coalesce(recent_tickets.as_of_date, latest_responses.as_of_date) as as_of_date,
        coalesce(recent_tickets.customer_id, latest_responses.customer_id) as customer_id,
        coalesce(recent_tickets.tickets_180d, 0) as tickets_180d,
        coalesce(recent_tickets.complaints_90d, 0) as complaints_90d,
        latest_responses.score as nps_score,
        latest_responses.responded_on as nps_answered_on
    from recent_tickets
    full outer join latest_responses
        on recent_tickets.as_of_date = latest_responses.as_of_date
        and recent_tickets.customer_id = latest_responses.customer_id
)

select * from final
