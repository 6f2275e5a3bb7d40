with

details as (
    select * from {{ ref('int_identity_details_listed') }}
),

-- what an id names outright outweighs what it has in common with another; of what is told at once, an e-mail address outweighs a phone
ordered_claims as (
    select
        *,
        row_number() over (
            order by
                case when link_kind = 'customer_id' then 1 else 2 end asc nulls last,
                claimed_at asc nulls last,
                case link_kind when 'email' then 1 when 'phone' then 2 else 3 end asc nulls last,
                link_id asc nulls last,
                -- the customer is there before whoever names them
                is_customer desc nulls last,
                id asc nulls last
        ) as claim_order
    from details
),

shares as (
    select
        id,
        is_customer,
        link_kind,
        link_id,
        claimed_at,
        claim_order,
        count(*) over (partition by link_id) as ids_of_link,
        -- customers who have had the detail so far
        sum(case when is_customer then 1 else 0 end) over (
            partition by link_id
            order by claim_order asc nulls last
            rows between unbounded preceding and current row
        ) as customers_so_far
    from ordered_claims
),

final as (
    select
        id,
        is_customer,
        link_kind,
        link_id,
        claimed_at,
        cast(claim_order as bigint) as claim_order,
        -- from the second customer on, a detail does not say which of them is meant; whoever was linked by it before stays
        link_kind != 'customer_id' and customers_so_far > 1 as is_ambiguous
    from shares
    -- what one id alone has links nobody
    where ids_of_link > 1
)

select * from final
