with

customers as (
    select customer_id, known_since from {{ ref('int_customers_described') }}
),

months as (
    select month_start, snapshot_on from {{ ref('int_months_listed') }}
),

run_context as (
    select * from {{ ref('run_context') }}
),

snapshots as (
    select * from {{ ref('int_customer_snapshots_taken') }}
),

cadences as (
    select * from {{ ref('int_customer_cadences_estimated') }}
),

-- a company without a purchase has no months yet, but it has prospects today
looks as (
    select month_start, snapshot_on from months

    union all

    select
        {{ period_start('month', 'run_context.as_of_date') }} as month_start,
        run_context.as_of_date as snapshot_on
    from run_context
    where not exists (select 1 from months)
),

existing_customers as (
    select
        looks.month_start,
        looks.snapshot_on,
        customers.customer_id
    from customers
    inner join looks on customers.known_since <= looks.snapshot_on or customers.known_since is null
),

histories as (
    select
        existing_customers.month_start,
        existing_customers.snapshot_on,
        existing_customers.customer_id,
        snapshots.purchase_days,
        {{ day_diff('snapshots.first_purchase_on', 'existing_customers.snapshot_on') }} as days_since_first_purchase,
        {{ day_diff('snapshots.last_purchase_on', 'existing_customers.snapshot_on') }} as days_since_last_purchase,
        {{ day_diff('snapshots.returned_on', 'existing_customers.snapshot_on') }} as days_since_return,
        cadences.cadence_status
    from existing_customers
    left join snapshots
        on existing_customers.customer_id = snapshots.customer_id
        and existing_customers.snapshot_on = snapshots.snapshot_on
    left join cadences
        on existing_customers.customer_id = cadences.customer_id
        and existing_customers.snapshot_on = cadences.snapshot_on
),

final as (
    select
        histories.month_start,
        histories.snapshot_on,
        histories.customer_id,
        -- the first that holds: a customer who came back is that before anything else
        case
            when histories.purchase_days is null then 'prospect'
            when histories.days_since_return <= run_context.reactivated_customer_days then 'reactivated'
            when histories.days_since_first_purchase <= run_context.new_customer_days then 'new'
            when histories.days_since_last_purchase >= run_context.lapsed_days then 'lapsed'
            when histories.cadence_status in ('overdue', 'lapsed') then 'at_risk'
            when histories.purchase_days >= run_context.loyal_purchase_days then 'loyal'
            else 'developing'
        end as lifecycle_stage
    from histories
    cross join run_context
)

select * from final
