{#- links over which a circle of referrals is looked for -#}
{%- set longest_circle = 5 -%}
with

customers as (
    select * from {{ ref('int_customers_described') }}
),

purchases as (
    select customer_id, first_purchase_on, net_revenue from {{ ref('int_customer_purchases_summarised') }}
),

-- who has not registered by the as-of date has not been referred yet
referrals as (
    select
        customer_id,
        referred_by_customer_id as referrer_customer_id,
        registered_on as referred_on
    from customers
    where referred_by_customer_id is not null and not is_guest
),

chains as (
    select
        referrals.customer_id,
        referrals.referrer_customer_id,
        referrals.referred_on,
        referrers.customer_id is not null as is_referrer_known,
        coalesce(
            referrals.referrer_customer_id != referrals.customer_id
            and (
                {% for step in range(2, longest_circle + 1) -%}
                coalesce(step_{{ step }}.referrer_customer_id = referrals.customer_id, false)
                {% if not loop.last %}or {% endif %}
                {%- endfor %}
            ),
            false
        ) as is_circular
    from referrals
    -- each customer has one row, and at most one referrer
    left join customers as referrers on referrals.referrer_customer_id = referrers.customer_id
    {% for step in range(2, longest_circle + 1) -%}
    left join referrals as step_{{ step }}
        on {{ 'referrals' if step == 2 else 'step_' ~ (step - 1) }}.referrer_customer_id = step_{{ step }}.customer_id
    {% endfor %}
),

final as (
    select
        chains.customer_id,
        chains.referrer_customer_id,
        chains.referred_on,
        purchases.first_purchase_on,
        coalesce(purchases.net_revenue, {{ total('0') }}) as net_revenue,
        chains.customer_id = chains.referrer_customer_id as is_self_referral,
        chains.is_circular,
        chains.is_referrer_known,
        coalesce(purchases.first_purchase_on < chains.referred_on, false) as is_earlier_customer
    from chains
    left join purchases on chains.customer_id = purchases.customer_id
)

select * from final
