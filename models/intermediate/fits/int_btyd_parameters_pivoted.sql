with

champions as (
    select * from {{ ref('int_model_champions_current') }}
),

parameters as (
    select * from {{ ref('stg_model_parameters') }}
    where horizon_days = 0
),

used_parameters as (
    select
        champions.target,
        champions.model_name,
        champions.is_seasonal,
        champions.is_reliable,
        champions.unreliable_reason,
        parameters.parameter,
        parameters.value
    from champions
    -- the champion of clv is named after its model of purchases; the spend is of Gamma-Gamma in any case
    left join parameters
        on champions.parameters_fit_id = parameters.fit_id
        and champions.target = parameters.target
        and case when champions.target = 'clv' then 'gamma_gamma' else champions.model_name end = parameters.model_name
    where champions.target in ('purchases', 'clv')
),

-- one row, also where there are no parameters
pivoted as (
    select
        max(case when target = 'purchases' then model_name end) as model_name,
        coalesce(bool_or(target = 'purchases' and is_seasonal), false) as is_seasonal,
        coalesce(bool_and(is_reliable), false) as is_reliable,
        coalesce(
            max(case when target = 'purchases' then unreliable_reason end),
            max(case when target = 'clv' then unreliable_reason end)
        ) as unreliable_reason,
        {% for parameter in ['r', 'alpha', 'a', 'b'] -%}
        max(case when target = 'purchases' and parameter = '{{ parameter }}' then value end) as {{ parameter }},
        {% endfor -%}
        max(case when target = 'clv' and parameter = 'p' then value end) as p,
        max(case when target = 'clv' and parameter = 'q' then value end) as q,
        max(case when target = 'clv' and parameter = 'gamma' then value end) as gamma,
        -- a fit of a release that did not know them has none
        coalesce(max(case when target = 'clv' and parameter = 'never_pays' then value end), 0e0) as never_pays,
        coalesce(max(case when target = 'clv' and parameter = 'free_day' then value end), 0e0) as free_day
    from used_parameters
),

final as (
    select
        model_name,
        is_seasonal,
        is_reliable,
        unreliable_reason,
        r,
        alpha,
        a,
        b,
        case when model_name = 'bg_nbd' then b - 1e0 else b end as b_later,
        p,
        q,
        gamma,
        never_pays,
        free_day
    from pivoted
)

select * from final
