with

checked_rows as (
    select * from {{ ref('base_customers') }}
),

final as (
    select
        customer_id,
        registered_at,
        birth_date,
        gender,
        country,
        region,
        city,
        occupation,
        income_band,
        acquisition_channel,
        referred_by_customer_id,
        full_name,
        email,
        phone,
        is_deleted,
        updated_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
