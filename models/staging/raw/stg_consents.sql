with

checked_rows as (
    select * from {{ ref('base_consents') }}
),

final as (
    select
        customer_id,
        channel,
        is_granted,
        recorded_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
