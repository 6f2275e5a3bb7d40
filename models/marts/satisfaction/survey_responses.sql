with

responses as (
    select * from {{ ref('int_survey_responses_resolved') }}
),

final as (
    select
        response_id,
        invitation_id,
        customer_id,
        survey_type,
        score,
        weight,
        response_group,
        survey_trigger,
        channel,
        language,
        has_comment,
        responded_on,
        days_to_answer,
        order_id,
        ticket_id,
        is_latest_of_month,
        is_latest_of_quarter,
        is_latest_of_year,
        is_latest
    from responses
)

{{ select_with_labels('final') }}
