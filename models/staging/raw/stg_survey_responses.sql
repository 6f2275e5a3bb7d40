with

checked_rows as (
    select * from {{ ref('base_survey_responses') }}
),

final as (
    select
        response_id,
        invitation_id,
        customer_id,
        weight,
        survey_type,
        score,
        comment,
        language,
        channel,
        responded_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
