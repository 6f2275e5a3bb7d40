with

versions as (
    select * from {{ ref('int_membership_versions_dated') }}
),

-- who left and came back, or has two memberships, was won once: by the first
final as (
    select
        customer_id,
        min(enrolled_on) as enrolled_on
    from versions
    group by customer_id
)

select * from final
