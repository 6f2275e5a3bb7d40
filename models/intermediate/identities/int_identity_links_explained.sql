with

links as (
    select * from {{ ref('int_identities_linked') }}
),

-- who has the same detail, is nearer to the customer, and lends the answer that the id has come to
answers_lent as (
    select
        links.id,
        links.customer_id,
        links.link_id,
        links.link_kind,
        links.claimed_at,
        lenders.id as linked_through,
        lenders.is_customer as is_linked_to_customer,
        row_number() over (
            partition by links.id
            order by
                links.claim_order asc nulls last,
                lenders.claim_order asc nulls last,
                lenders.id asc nulls last
        ) as lender_rank
    from links
    -- a detail has few ids, and one of them is kept
    inner join links as lenders
        on links.link_id = lenders.link_id
        and links.hops > lenders.hops
    where
        links.is_settled
        and not links.is_ambiguous
        and {{ answer_after(
            answer_after('lenders.answer', 'lenders.claim_order', 'lenders.is_ambiguous'),
            'links.claim_order',
            'links.is_ambiguous'
        ) }} = links.answer
),

final as (
    select
        id,
        customer_id,
        link_id,
        link_kind,
        claimed_at,
        linked_through,
        is_linked_to_customer
    from answers_lent
    where lender_rank = 1
)

select * from final
