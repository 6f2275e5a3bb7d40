{#- Systems that a chain of links may run through. A longer chain is left unlinked and shows as a failed test. -#}
{%- set rounds = 6 -%}

with

links as (
    select * from {{ ref('int_identity_links_ordered') }}
),

-- An answer is one text: 0, the orders of all claims on the way, the latest first, and the customer who is reached. The least answer is the
-- way that was complete first, so a later link never changes it; the orders before the latest decide between ways that end in the same
-- link. Ids that reach no customer answer 1 and the id among them that came first.
answers_0 as (
    select
        id,
        is_customer,
        link_kind,
        link_id,
        claimed_at,
        lpad(cast(claim_order as {{ dbt.type_string() }}), 12, '0') as claim_order,
        is_ambiguous,
        case
            when is_customer then '0' || '000000000000' || ' ' || id
            else
                '1'
                || lpad(cast(min(claim_order) over (partition by id) as {{ dbt.type_string() }}), 12, '0')
                || ' '
                || id
        end as answer,
        cast(null as {{ dbt.type_string() }}) as earlier_answer,
        0 as hops
    from links
),

{% for round in range(1, rounds + 2) %}
shared_{{ round }} as (
    select
        id,
        is_customer,
        link_kind,
        link_id,
        claimed_at,
        claim_order,
        is_ambiguous,
        answer,
        case when answer < earlier_answer then {{ round - 1 }} else hops end as hops,
        min({{ answer_after('answer', 'claim_order', 'is_ambiguous') }}) over (partition by link_id) as link_answer
    from answers_{{ round - 1 }}
),

answers_{{ round }} as (
    select
        id,
        is_customer,
        link_kind,
        link_id,
        claimed_at,
        claim_order,
        is_ambiguous,
        least(
            answer,
            min({{ answer_after('link_answer', 'claim_order', 'is_ambiguous') }}) over (partition by id)
        ) as answer,
        answer as earlier_answer,
        hops
    from shared_{{ round }}
),

{% endfor %}
final as (
    select
        id,
        is_customer,
        link_kind,
        link_id,
        claimed_at,
        claim_order,
        is_ambiguous,
        answer,
        {{ customer_of_answer('answer') }} as customer_id,
        -- how many links away that is
        hops,
        -- one more round has changed nothing
        answer = earlier_answer as is_settled
    from answers_{{ rounds + 1 }}
)

select * from final
