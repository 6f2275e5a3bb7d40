with

refit_requests as (
    select * from {{ source('predictive', 'refit_requests') }}
),

final as (
    select
        requested_at
    from refit_requests
)

select * from final
