with

checked_rows as (
    select * from {{ ref('base_customer_identities') }}
),

final as (
    select
        source_system,
        source_id,
        customer_id,
        email,
        phone,
        anonymous_id,
        recorded_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
