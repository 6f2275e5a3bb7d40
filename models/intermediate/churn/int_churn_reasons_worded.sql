with

reasons as (
    select * from {{ ref('int_churn_reasons_found') }}
),

churn_reasons as (
    select reason_code, template_en, template_zh from {{ ref('churn_reasons') }}
),

run_context as (
    select reporting_currency from {{ ref('run_context') }}
),

numbers as (
    select
        reasons.customer_id,
        reasons.reason_rank,
        reasons.reason_code,
        churn_reasons.template_en,
        churn_reasons.template_zh,
        reasons.days_since_last_purchase as days,
        cast(round(reasons.mean_interval_days, 0) as bigint) as interval_days,
        reasons.purchase_days_90d as purchases,
        reasons.purchase_days_previous_90d as purchases_before,
        reasons.complaints_90d as complaints,
        reasons.tickets_180d as tickets,
        {{ worded_amount('run_context.reporting_currency', 'reasons.net_revenue_90d') }} as amount,
        {{ worded_amount('run_context.reporting_currency', 'reasons.net_revenue_previous_90d') }} as amount_before,
        reasons.nps_score,
        reasons.nps_answered_on
    from reasons
    inner join churn_reasons on reasons.reason_code = churn_reasons.reason_code
    cross join run_context
),

-- a count has a plural in English alone
texts as (
    select
        *,
        {{ counted('days', 'day') }} as days_counted,
        {{ counted('interval_days', 'day') }} as interval_days_counted,
        {{ counted('purchases', 'purchase') }} as purchases_counted,
        {{ counted('purchases_before', 'purchase') }} as purchases_before_counted,
        {{ counted('complaints', 'complaint') }} as complaints_counted,
        {{ counted('tickets', 'service ticket') }} as tickets_counted
    from numbers
),

final as (
    select
        customer_id,
        reason_rank,
        reason_code,
        {% for language, count in [('en', '_counted'), ('zh', '')] %}
        {{ filled_in('template_' ~ language, {
            'days': 'days' ~ count,
            'interval': 'interval_days' ~ count,
            'purchases': 'purchases' ~ count,
            'purchases_before': 'purchases_before' ~ count,
            'complaints': 'complaints' ~ count,
            'tickets': 'tickets' ~ count,
            'amount': 'amount',
            'amount_before': 'amount_before',
            'score': 'nps_score',
            'date': 'nps_answered_on',
        }) }} as reason_{{ language }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from texts
)

select * from final
