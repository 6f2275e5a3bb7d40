with

checked_rows as (
    select * from {{ ref('base_campaigns') }}
),

final as (
    select
        campaign_id,
        campaign_name,
        channel,
        objective,
        started_at,
        ended_at,
        budget_amount,
        cost_amount,
        updated_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
