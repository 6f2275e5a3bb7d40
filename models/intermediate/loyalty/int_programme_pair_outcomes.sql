{%- set measures = ['purchase_days', 'net_revenue', 'discount_amount'] -%}
{%- set periods = ['prior', 'before', 'after'] -%}

with

pairs as (
    select * from {{ ref('int_programme_pairs_matched') }}
),

horizons as (
    select horizon_days from {{ ref('programme_horizons') }}
),

settings as (
    select balance_days from {{ ref('programme_matching_settings') }}
),

purchase_days as (
    select customer_id, purchase_on, net_revenue, discount_amount from {{ ref('int_customer_days_summed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- a pair counts for a horizon once it has passed for both
observed_pairs as (
    select
        horizons.horizon_days,
        pairs.*
    from pairs
    cross join horizons
    cross join run_context
    where
        {{ add_days('pairs.member_index_on', 'horizons.horizon_days') }} <= run_context.as_of_date
        and {{ add_days('pairs.control_index_on', 'horizons.horizon_days') }} <= run_context.as_of_date
),

sides as (
    {% for side in ['member', 'control'] -%}
    select
        is_placebo,
        horizon_days,
        member_customer_id,
        member_index_on,
        '{{ side }}' as side,
        {{ side }}_customer_id as customer_id,
        {{ side }}_index_on as index_on,
        {{ add_days(side ~ '_index_on', '-lag_days') }} as occasion_on
    from observed_pairs
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- after the index day; as many days up to it; and the days before the purchase that made the occasion
side_days as (
    select
        sides.is_placebo,
        sides.horizon_days,
        sides.member_customer_id,
        sides.member_index_on,
        sides.side,
        purchase_days.net_revenue,
        purchase_days.discount_amount,
        1 as purchase_days,
        purchase_days.purchase_on > sides.index_on as is_after,
        purchase_days.purchase_on <= sides.index_on
        and purchase_days.purchase_on > {{ add_days('sides.index_on', '-sides.horizon_days') }} as is_before,
        purchase_days.purchase_on < sides.occasion_on
        and purchase_days.purchase_on >= {{ add_days('sides.occasion_on', '-settings.balance_days') }} as is_prior
    from sides
    cross join settings
    inner join purchase_days
        on sides.customer_id = purchase_days.customer_id
        and purchase_days.purchase_on >= {{ add_days('sides.occasion_on', '-greatest(sides.horizon_days, settings.balance_days)') }}
        and purchase_days.purchase_on <= {{ add_days('sides.index_on', 'sides.horizon_days') }}
),

summed as (
    select
        is_placebo,
        horizon_days,
        member_customer_id,
        member_index_on{% for side in ['member', 'control'] %}{% for period in periods %}{% for measure in measures %},
        sum(case when side = '{{ side }}' and is_{{ period }} then {{ measure }} else 0 end) as {{ side }}_{{ measure }}_{{ period }}
        {%- endfor %}{% endfor %}{% endfor %}
    from side_days
    group by is_placebo, horizon_days, member_customer_id, member_index_on
),

final as (
    select
        observed_pairs.is_placebo,
        observed_pairs.horizon_days,
        observed_pairs.member_customer_id,
        observed_pairs.control_customer_id,
        observed_pairs.match_cell,
        observed_pairs.lag_days,
        observed_pairs.member_index_on,
        observed_pairs.control_index_on,
        observed_pairs.control_enrolled_on,
        coalesce(
            observed_pairs.control_enrolled_on
            <= {{ add_days('observed_pairs.control_index_on', 'observed_pairs.horizon_days') }},
            false
        ) as is_control_enrolled{% for side in ['member', 'control'] %}{% for period in periods %}{% for measure in measures %},
        {% set value = 'coalesce(summed.' ~ side ~ '_' ~ measure ~ '_' ~ period ~ ', 0)' -%}
        {{ 'cast(' ~ value ~ ' as bigint)' if measure == 'purchase_days' else total(value) }} as {{ side }}_{{ measure }}_{{ period }}
        {%- endfor %}{% endfor %}{% endfor %}
    from observed_pairs
    -- neither may have bought in the windows
    left join summed
        on observed_pairs.is_placebo = summed.is_placebo
        and observed_pairs.horizon_days = summed.horizon_days
        and observed_pairs.member_customer_id = summed.member_customer_id
        and observed_pairs.member_index_on = summed.member_index_on
)

select * from final
