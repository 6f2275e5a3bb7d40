with

pairs as (
    select * from {{ ref('int_ticket_pair_outcomes') }}
),

customers_compared as (
    select * from {{ ref('int_ticket_customers_compared') }}
),

settings as (
    select minimum_pairs from {{ ref('ticket_matching_settings') }}
),

run_context as (
    select ticket_followup_days from {{ ref('run_context') }}
),

differences as (
    {% for metric in ['repurchase', 'net_revenue'] -%}
    select
        ticket_kind,
        '{{ metric }}' as metric,
        customer_id,
        matched_customer_id,
        cast({{ metric }} as double) as ticket_value,
        cast(matched_{{ metric }} as double) as matched_value,
        cast({{ metric }} as double) - cast(matched_{{ metric }} as double) as difference
    from pairs
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- one customer may be compared with several, and have a ticket later: the differences of these pairs move together
estimates as (
    {{
        clustered_effects(
            'differences',
            'settings',
            groups=['ticket_kind', 'metric'],
            values=['ticket_value', 'matched_value'],
            treated='customer_id',
            control='matched_customer_id'
        )
    }}
),

naive as (
    {% for metric in ['repurchase', 'net_revenue'] -%}
    select
        ticketed.ticket_kind,
        '{{ metric }}' as metric,
        ticketed.customers as ticket_customers,
        ticketed.{{ metric }} as naive_ticket_value,
        others.{{ metric }} as naive_other_value
    from customers_compared as ticketed
    -- at most one row
    left join customers_compared as others on others.ticket_kind = 'none'
    where ticketed.ticket_kind != 'none'
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select
        naive.ticket_kind,
        naive.metric,
        run_context.ticket_followup_days as followup_days,
        naive.ticket_customers,
        coalesce(estimates.matched_pairs, 0) as matched_pairs,
        coalesce(estimates.clusters, 0) as matched_customers,
        {{ ratio('coalesce(estimates.matched_pairs, 0)', 'naive.ticket_customers') }} as match_rate,
        estimates.ticket_value,
        estimates.matched_value,
        estimates.effect,
        {{ effect_low('estimates', "naive.metric = 'repurchase'") }} as effect_low,
        {{ effect_high('estimates', "naive.metric = 'repurchase'") }} as effect_high,
        naive.naive_ticket_value,
        naive.naive_other_value,
        naive.naive_ticket_value - naive.naive_other_value as naive_effect,
        estimates.standard_error is not null as is_reliable,
        {{ unreliable_effect_reason('estimates') }} as unreliable_reason
    from naive
    cross join run_context
    left join estimates on naive.ticket_kind = estimates.ticket_kind and naive.metric = estimates.metric
)

{{ select_with_labels('final') }}
