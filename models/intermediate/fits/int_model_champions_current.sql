with

champions as (
    select * from {{ ref('stg_model_champions') }}
),

fits as (
    select * from {{ ref('stg_model_fits') }}
),

run_context as (
    select as_of_date, company_key from {{ ref('run_context') }}
),

purchase_history as (
    select * from {{ ref('int_purchase_history_size') }}
),

model_limits as (
    select minimum_customers, minimum_history_days from {{ ref('model_limits') }}
),

targets as (
    {% for target in ['churn', 'purchases', 'clv'] -%}
    select '{{ target }}' as target
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- a build as of a past day uses what was known on that day; another company's fits may lie in the same warehouse
known_fits as (
    select
        fits.fit_id,
        fits.reason_code,
        row_number() over (
            order by fits.as_of_date desc nulls last, fits.fitted_at desc nulls last, fits.fit_id desc nulls last
        ) as fit_rank
    from fits
    inner join run_context
        on fits.company_key = run_context.company_key
        and fits.as_of_date <= run_context.as_of_date
),

newest_fit as (
    select max(reason_code) as reason_code
    from known_fits
    where fit_rank = 1
),

-- a target of which the newest fit could make no model, though it made others
refused_targets as (
    select
        champions.target,
        max(champions.unreliable_reason) as unreliable_reason
    from champions
    inner join known_fits on champions.fit_id = known_fits.fit_id
    where champions.model_name is null and known_fits.fit_rank = 1
    group by champions.target
),

ranked_champions as (
    select
        champions.*,
        row_number() over (partition by champions.target order by known_fits.fit_rank asc nulls last) as champion_rank
    from champions
    inner join known_fits on champions.fit_id = known_fits.fit_id
    where champions.model_name is not null
),

final as (
    select
        targets.target,
        champions.fit_id,
        champions.model_name,
        champions.parameters_fit_id,
        coalesce(champions.is_seasonal, false) as is_seasonal,
        coalesce(champions.is_reliable, false) as is_reliable,
        case
            when not champions.is_reliable then champions.unreliable_reason
            when champions.fit_id is not null then null
            -- of too small a company no fit is even tried
            when purchase_history.customers < model_limits.minimum_customers then 'too_few_customers'
            when purchase_history.history_days < model_limits.minimum_history_days then 'history_too_short'
            else coalesce(refused_targets.unreliable_reason, newest_fit.reason_code, 'no_parameters')
        end as unreliable_reason
    from targets
    cross join newest_fit
    cross join purchase_history
    cross join model_limits
    left join refused_targets on targets.target = refused_targets.target
    left join ranked_champions as champions
        on targets.target = champions.target
        and champions.champion_rank = 1
)

select * from final
