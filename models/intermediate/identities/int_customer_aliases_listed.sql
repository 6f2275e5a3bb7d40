with

links as (
    select * from {{ ref('int_identity_links_explained') }}
),

final as (
    select
        id as alias_id,
        customer_id
    from links
)

select * from final
