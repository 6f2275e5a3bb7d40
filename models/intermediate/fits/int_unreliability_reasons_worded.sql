with

unreliability_reasons as (
    select * from {{ ref('unreliability_reasons') }}
),

model_limits as (
    select * from {{ ref('model_limits') }}
),

final as (
    select
        unreliability_reasons.reason_code,
        {% for language in ['en', 'zh'] -%}
        {{ filled_in('unreliability_reasons.label_' ~ language, {
            'minimum_customers': 'model_limits.minimum_customers',
            'minimum_history_days': 'model_limits.minimum_history_days',
        }) }} as label_{{ language }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from unreliability_reasons
    cross join model_limits
)

select * from final
