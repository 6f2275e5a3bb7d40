with

fits as (
    select * from {{ source('predictive', 'fits') }}
),

final as (
    select
        fit_id,
        company_key,
        as_of_date,
        fitted_at,
        status,
        reason_code,
        customers,
        history_days
    from fits
)

select * from final
