with

feature_dates as (
    select as_of_date from {{ ref('int_feature_dates_listed') }}
),

snapshots as (
    select * from {{ ref('int_customer_snapshots_taken') }}
),

first_days as (
    select customer_id, net_revenue from {{ ref('int_purchase_days_numbered') }}
    where purchase_number = 1
),

scores as (
    select * from {{ ref('int_rfm_scored') }}
),

recent_purchases as (
    select * from {{ ref('int_recent_purchases_counted') }}
),

recent_contacts as (
    select * from {{ ref('int_recent_contacts_counted') }}
),

membership_versions as (
    select * from {{ ref('int_membership_versions_dated') }}
    where status = 'active'
),

-- a customer may have two memberships at once
members as (
    select
        feature_dates.as_of_date,
        membership_versions.customer_id
    from membership_versions
    inner join feature_dates
        on membership_versions.valid_from_on <= feature_dates.as_of_date
        and (membership_versions.valid_to_on > feature_dates.as_of_date or membership_versions.valid_to_on is null)
    group by feature_dates.as_of_date, membership_versions.customer_id
),

histories as (
    select
        snapshots.snapshot_on as as_of_date,
        snapshots.customer_id,
        snapshots.first_purchase_on,
        snapshots.last_purchase_on,
        snapshots.purchase_days - 1 as repeat_purchase_days,
        cast({{ day_diff('snapshots.first_purchase_on', 'snapshots.last_purchase_on') }} as integer) as recency_days_btyd,
        cast({{ day_diff('snapshots.first_purchase_on', 'snapshots.snapshot_on') }} as integer) as tenure_days,
        cast({{ day_diff('snapshots.last_purchase_on', 'snapshots.snapshot_on') }} as integer) as days_since_last_purchase,
        snapshots.purchase_days_365d,
        snapshots.net_revenue_365d,
        snapshots.net_revenue_to_date
    from snapshots
    inner join feature_dates on snapshots.snapshot_on = feature_dates.as_of_date
),

final as (
    select
        histories.as_of_date,
        histories.customer_id,
        histories.first_purchase_on,
        histories.last_purchase_on,
        histories.repeat_purchase_days,
        histories.recency_days_btyd,
        histories.tenure_days,
        histories.days_since_last_purchase,
        {{ ratio('histories.recency_days_btyd', 'histories.repeat_purchase_days') }} as mean_interval_days,
        coalesce(recent_purchases.purchase_days_30d, 0) as purchase_days_30d,
        coalesce(recent_purchases.purchase_days_90d, 0) as purchase_days_90d,
        coalesce(recent_purchases.purchase_days_previous_90d, 0) as purchase_days_previous_90d,
        histories.purchase_days_365d,
        {{ total('coalesce(recent_purchases.net_revenue_90d, 0)') }} as net_revenue_90d,
        {{ total('coalesce(recent_purchases.net_revenue_previous_90d, 0)') }} as net_revenue_previous_90d,
        histories.net_revenue_365d,
        histories.net_revenue_to_date,
        -- without the first day, as Fader and Hardie do: what a customer spends at first is not what the same one spends later
        {{ money_per(
            '(histories.net_revenue_to_date - first_days.net_revenue)', 'histories.repeat_purchase_days'
        ) }} as repeat_net_revenue_per_purchase_day,
        coalesce(scores.r_score, 0) as r_score,
        coalesce(scores.f_score, 0) as f_score,
        coalesce(scores.m_score, 0) as m_score,
        recent_contacts.nps_score,
        recent_contacts.nps_answered_on,
        coalesce(recent_contacts.tickets_180d, 0) as tickets_180d,
        coalesce(recent_contacts.complaints_90d, 0) as complaints_90d,
        members.customer_id is not null as is_programme_member
    from histories
    inner join first_days on histories.customer_id = first_days.customer_id
    -- each has one row per date and customer at most
    left join recent_purchases
        on histories.as_of_date = recent_purchases.as_of_date
        and histories.customer_id = recent_purchases.customer_id
    left join scores
        on histories.as_of_date = scores.snapshot_on
        and histories.customer_id = scores.customer_id
    left join recent_contacts
        on histories.as_of_date = recent_contacts.as_of_date
        and histories.customer_id = recent_contacts.customer_id
    left join members
        on histories.as_of_date = members.as_of_date
        and histories.customer_id = members.customer_id
)

select * from final
