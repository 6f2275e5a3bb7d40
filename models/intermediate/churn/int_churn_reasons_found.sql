with

features as (
    select * from {{ ref('int_customer_features') }}
),

cadences as (
    select snapshot_on, customer_id, purchase_due_probability from {{ ref('int_customer_cadences_estimated') }}
),

churn_reasons as (
    select * from {{ ref('churn_reasons') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- a rhythm is only broken where the own interval has passed, whatever the rhythm of the others makes of it
current_features as (
    select
        features.*,
        case
            when features.days_since_last_purchase > features.mean_interval_days then cadences.purchase_due_probability
        end as purchase_due_probability
    from features
    inner join run_context on features.as_of_date = run_context.as_of_date
    left join cadences
        on features.as_of_date = cadences.snapshot_on
        and features.customer_id = cadences.customer_id
),

candidates as (
    select
        current_features.*,
        churn_reasons.reason_code,
        churn_reasons.theme,
        churn_reasons.priority,
        case churn_reasons.reason_code
            when 'overdue' then current_features.purchase_due_probability >= churn_reasons.threshold
            when 'inactive' then current_features.days_since_last_purchase >= churn_reasons.threshold
            when 'one_time_buyer'
                then
                    current_features.repeat_purchase_days = 0
                    and current_features.days_since_last_purchase >= churn_reasons.threshold
            when 'complaints' then current_features.complaints_90d >= churn_reasons.threshold
            when 'low_nps' then current_features.nps_score <= churn_reasons.threshold
            when 'purchases_fell'
                then
                    current_features.purchase_days_previous_90d >= churn_reasons.minimum_before
                    and current_features.purchase_days_90d
                    <= (1e0 - churn_reasons.threshold) * current_features.purchase_days_previous_90d
            -- who bought nothing has spent nothing: that is said already
            when 'spend_fell'
                then
                    current_features.purchase_days_90d > 0
                    and cast(current_features.net_revenue_previous_90d as double) >= churn_reasons.minimum_before
                    and cast(current_features.net_revenue_90d as double)
                    <= (1e0 - churn_reasons.threshold) * cast(current_features.net_revenue_previous_90d as double)
            when 'many_tickets' then current_features.tickets_180d >= churn_reasons.threshold
            when 'rare_buyer' then current_features.mean_interval_days >= churn_reasons.threshold
        end as holds
    from current_features
    cross join churn_reasons
),

placed_in_theme as (
    select
        *,
        row_number() over (
            partition by customer_id, theme
            order by priority asc nulls last, reason_code asc nulls last
        ) as theme_rank
    from candidates
    where holds
),

placed as (
    select
        *,
        cast(row_number() over (
            partition by customer_id
            order by priority asc nulls last, reason_code asc nulls last
        ) as integer) as reason_rank
    from placed_in_theme
    where theme_rank = 1
),

final as (
    select
        customer_id,
        reason_rank,
        reason_code,
        days_since_last_purchase,
        mean_interval_days,
        purchase_days_90d,
        purchase_days_previous_90d,
        net_revenue_90d,
        net_revenue_previous_90d,
        nps_score,
        nps_answered_on,
        complaints_90d,
        tickets_180d
    from placed
    where reason_rank <= 3
)

select * from final
