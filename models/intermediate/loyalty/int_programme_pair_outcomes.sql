with

pairs as (
    select * from {{ ref('int_programme_pairs_matched') }}
),

horizons as (
    select horizon_days from {{ ref('programme_horizons') }}
),

purchase_days as (
    select customer_id, purchase_on, net_revenue from {{ ref('int_customer_days_summed') }}
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
        {{ add_days('pairs.member_enrolled_on', 'horizons.horizon_days') }} <= run_context.as_of_date
        and {{ add_days('pairs.control_index_on', 'horizons.horizon_days') }} <= run_context.as_of_date
),

sides as (
    select
        horizon_days,
        member_customer_id,
        'member' as side,
        member_customer_id as customer_id,
        member_enrolled_on as index_on
    from observed_pairs
    union all
    select
        horizon_days,
        member_customer_id,
        'control' as side,
        control_customer_id as customer_id,
        control_index_on as index_on
    from observed_pairs
),

-- as many days up to the enrolment as there are after it
side_days as (
    select
        sides.horizon_days,
        sides.member_customer_id,
        sides.side,
        purchase_days.purchase_on > sides.index_on as is_after,
        purchase_days.net_revenue
    from sides
    inner join purchase_days
        on sides.customer_id = purchase_days.customer_id
        and purchase_days.purchase_on > {{ add_days('sides.index_on', '-sides.horizon_days') }}
        and purchase_days.purchase_on <= {{ add_days('sides.index_on', 'sides.horizon_days') }}
),

summed as (
    select
        horizon_days,
        member_customer_id,
        {% for side in ['member', 'control'] -%}
        {% for period, is_after in [('before', 'not is_after'), ('after', 'is_after')] -%}
        count(*) filter (where side = '{{ side }}' and {{ is_after }}) as {{ side }}_purchase_days_{{ period }},
        sum(case when side = '{{ side }}' and {{ is_after }} then net_revenue else 0 end) as {{ side }}_net_revenue_{{ period }}
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from side_days
    group by horizon_days, member_customer_id
),

final as (
    select
        observed_pairs.horizon_days,
        observed_pairs.member_customer_id,
        observed_pairs.control_customer_id,
        observed_pairs.match_cell,
        observed_pairs.lag_days,
        observed_pairs.member_enrolled_on,
        observed_pairs.control_index_on,
        observed_pairs.control_enrolled_on,
        coalesce(
            observed_pairs.control_enrolled_on
            <= {{ add_days('observed_pairs.control_index_on', 'observed_pairs.horizon_days') }},
            false
        ) as is_control_enrolled,
        {% for side in ['member', 'control'] -%}
        {% for period in ['before', 'after'] -%}
        coalesce(summed.{{ side }}_purchase_days_{{ period }}, 0) as {{ side }}_purchase_days_{{ period }},
        {{ money('coalesce(summed.' ~ side ~ '_net_revenue_' ~ period ~ ', 0)') }} as {{ side }}_net_revenue_{{ period }}
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from observed_pairs
    -- neither may have bought in the two windows
    left join summed
        on observed_pairs.horizon_days = summed.horizon_days
        and observed_pairs.member_customer_id = summed.member_customer_id
)

select * from final
