{#- KPI, CTE, column of the figure, number of cases that it is counted from, whether <column>_low and _high are its interval -#}
{% set kpis = [
    ('repurchase_rate', 'repurchase', 'repurchase_rate', 'buyers', true),
    ('retention_rate', 'retention', 'retention_rate', 'active_customers', true),
    ('active_customers', 'growth', 'active_customers', 'active_customers', true),
    ('reactivation_rate', 'reactivation', 'reactivation_rate', 'lapsed_customers', true),
    ('at_risk_customers', 'stages', 'at_risk_customers', 'known_customers', false),
    ('revenue_at_risk', 'churn_risk', 'revenue_at_risk', 'buyers', false),
    ('customer_value', 'values_ahead', 'customer_value', 'customers', true),
    ('average_order_value', 'purchases', 'average_order_value', 'orders', false),
    ('purchase_frequency', 'purchases', 'purchase_days_per_buyer', 'buyers', false),
    ('nps', 'nps', 'nps', 'responses', true),
    ('csat', 'csat', 'csat_rate', 'responses', true),
    ('ces', 'ces', 'ces_mean', 'responses', true),
    ('first_response_hours', 'tickets', 'median_first_response_hours', 'first_responded_tickets', false),
    ('first_response_within_rate', 'tickets', 'first_response_within_rate', 'first_response_due_tickets', true),
    ('member_growth_rate', 'members', 'member_growth_rate', 'members_before', false),
    ('points_usage_rate', 'points', 'usage_rate', none, false),
    ('points_redemption_rate', 'points', 'usage_rate_12m', none, false),
] -%}
{%- set surveys = ['nps', 'csat', 'ces'] -%}
with

run_context as (
    select as_of_date, kpi_repurchase_days from {{ ref('run_context') }}
),

repurchase as (
    select
        rates.*,
        {{ period_start('month', 'rates.as_of_date') }} as month,
        {{ period_end('month', 'rates.as_of_date') }} = rates.as_of_date as is_complete
    from {{ ref('repurchase_rates') }} as rates
    inner join run_context on rates.window_days = run_context.kpi_repurchase_days
    where rates.dimension = 'all'
),

retention as (
    select *, is_mature as is_complete from {{ ref('retention_monthly') }}
    where dimension = 'all'
),

growth as (
    select
        *,
        {{ poisson_low('active_customers') }} as active_customers_low,
        {{ poisson_high('active_customers') }} as active_customers_high
    from {{ ref('growth_accounting') }}
),

reactivation as (
    select * from {{ ref('reactivation_monthly') }}
    where dimension = 'all'
),

stages as (
    select
        month,
        is_complete,
        sum(case when to_stage = 'at_risk' then customers else 0 end) as at_risk_customers,
        sum(customers) as known_customers
    from {{ ref('lifecycle_transitions') }}
    group by month, is_complete
),

-- a state of the as-of date, which is whole on any day of its month; the marts keep no earlier one
churn_risk as (
    select
        {{ period_start('month', 'as_of_date') }} as month,
        true as is_complete,
        sum(revenue_at_risk_365d) as revenue_at_risk,
        count(*) as buyers
    from {{ ref('customer_churn_risk') }}
    group by as_of_date
),

values_ahead as (
    select
        {{ period_start('month', 'run_context.as_of_date') }} as month,
        true as is_complete,
        cohorts.customers,
        case when cohorts.is_reliable then {{ ratio('cohorts.predicted_clv', 'cohorts.customers') }} end as customer_value,
        case when cohorts.is_reliable then {{ ratio('cohorts.predicted_clv_low', 'cohorts.customers') }} end as customer_value_low,
        case when cohorts.is_reliable then {{ ratio('cohorts.predicted_clv_high', 'cohorts.customers') }} end as customer_value_high
    from {{ ref('cohort_clv') }} as cohorts
    cross join run_context
    where cohorts.cohort = 'all' and cohorts.horizon_days = 365
),

purchases as (
    select *, period_start as month from {{ ref('purchase_frequency') }}
    where period_grain = 'month' and dimension = 'all'
),

{% for survey in surveys -%}
{{ survey }} as (
    select *, period_start as month from {{ ref(survey) }}
    where period_grain = 'month' and dimension = 'all'
),

{% endfor -%}
-- a month of orders without a ticket says nothing of how tickets are answered
tickets as (
    select *, period_start as month from {{ ref('ticket_performance') }}
    where period_grain = 'month' and dimension = 'all' and tickets > 0
),

members as (
    select
        month,
        is_complete,
        {{ ratio('sum(members) - sum(members_before)', 'sum(members_before)') }} as member_growth_rate,
        sum(members_before) as members_before
    from {{ ref('tier_monthly') }}
    group by month, is_complete
),

points as (
    select * from {{ ref('points_monthly') }}
),

final as (
    {% for kpi, source, figure, cases, has_interval in kpis -%}
    select
        month,
        '{{ kpi }}' as kpi,
        cast({{ figure }} as double) as actual,
        cast({{ figure ~ '_low' if has_interval else 'null' }} as double) as actual_low,
        cast({{ figure ~ '_high' if has_interval else 'null' }} as double) as actual_high,
        cast({{ cases or 'null' }} as bigint) as sample_size,
        cast({{ 'is_significant' if source in surveys else 'null' }} as boolean) as is_change_significant,
        is_complete
    from {{ source }}
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}
)

{{ select_with_labels('final') }}
