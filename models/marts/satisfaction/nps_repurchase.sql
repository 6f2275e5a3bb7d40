with

responses as (
    select * from {{ ref('int_survey_responses_resolved') }}
    where survey_type = 'nps' and customer_id is not null
),

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

run_context as (
    select as_of_date, survey_followup_days from {{ ref('run_context') }}
),

followed_responses as (
    select
        responses.response_id,
        responses.customer_id,
        responses.response_group,
        responses.responded_at,
        responses.responded_on,
        {{ add_days('responses.responded_on', 'run_context.survey_followup_days') }} as followed_until,
        run_context.as_of_date,
        run_context.survey_followup_days
    from responses
    cross join run_context
),

-- the youngest answer would have had the fewest days to buy in: only those whose days have all passed are compared
mature_responses as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by responded_at desc nulls last, response_id desc nulls last
        ) as recency_rank
    from followed_responses
    where followed_until <= as_of_date
),

followed_customers as (
    select
        mature_responses.customer_id,
        mature_responses.response_group,
        mature_responses.survey_followup_days,
        count(purchase_days.purchase_on) > 0 as has_repurchased,
        coalesce(sum(purchase_days.net_revenue), 0) as net_revenue
    from mature_responses
    -- a purchase of the day of the answer may be what was asked about
    left join purchase_days
        on mature_responses.customer_id = purchase_days.customer_id
        and mature_responses.responded_on < purchase_days.purchase_on
        and mature_responses.followed_until >= purchase_days.purchase_on
    where mature_responses.recency_rank = 1
    group by mature_responses.customer_id, mature_responses.response_group, mature_responses.survey_followup_days
),

grouped_customers as (
    select response_group, survey_followup_days, has_repurchased, net_revenue from followed_customers
    union all
    select 'all' as response_group, survey_followup_days, has_repurchased, net_revenue from followed_customers
),

counted as (
    select
        response_group,
        survey_followup_days as followup_days,
        count(*) as customers,
        count(*) filter (where has_repurchased) as repurchased_customers,
        {{ total('sum(net_revenue)') }} as net_revenue
    from grouped_customers
    group by response_group, survey_followup_days
),

rates as (
    select
        counted.*,
        {{ ratio('repurchased_customers', 'customers') }} as repurchase_rate,
        {{ wilson_low('repurchased_customers', 'customers') }} as repurchase_rate_low,
        {{ wilson_high('repurchased_customers', 'customers') }} as repurchase_rate_high
    from counted
),

compared as (
    select
        rates.*,
        rates.repurchase_rate - detractors.repurchase_rate as difference_to_detractors,
        {{ difference_low(
            'rates.repurchase_rate', 'rates.repurchase_rate_low', 'detractors.repurchase_rate', 'detractors.repurchase_rate_high'
        ) }} as difference_low,
        {{ difference_high(
            'rates.repurchase_rate', 'rates.repurchase_rate_high', 'detractors.repurchase_rate', 'detractors.repurchase_rate_low'
        ) }} as difference_high
    from rates
    -- at most one row; the whole holds the detractors and is not compared with them
    left join rates as detractors on rates.response_group in ('promoter', 'passive') and detractors.response_group = 'detractor'
),

final as (
    select
        response_group,
        followup_days,
        customers,
        repurchased_customers,
        repurchase_rate,
        repurchase_rate_low,
        repurchase_rate_high,
        net_revenue,
        {{ money_per('net_revenue', 'customers') }} as net_revenue_per_customer,
        difference_to_detractors,
        difference_low,
        difference_high,
        difference_low > 0e0 or difference_high < 0e0 as is_significant
    from compared
)

{{ select_with_labels('final') }}
