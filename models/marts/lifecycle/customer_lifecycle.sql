with

stages as (
    select * from {{ ref('int_lifecycle_stages_assigned') }}
),

customers as (
    select customer_id, known_since from {{ ref('int_customers_described') }}
),

snapshots as (
    select * from {{ ref('int_customer_snapshots_taken') }}
),

cadences as (
    select customer_id, snapshot_on, overdue_on from {{ ref('int_customer_cadences_estimated') }}
),

active_spells as (
    select * from {{ ref('int_active_spells_started') }}
),

lifecycle_stages as (
    select lifecycle_stage, stage_rank from {{ ref('lifecycle_stages') }}
),

run_context as (
    select * from {{ ref('run_context') }}
),

dated as (
    select
        stages.customer_id,
        stages.lifecycle_stage,
        lifecycle_stages.stage_rank,
        run_context.as_of_date,
        customers.known_since,
        snapshots.first_purchase_on,
        snapshots.returned_on,
        cadences.overdue_on,
        active_spells.active_since,
        active_spells.loyal_since,
        {{ add_days('snapshots.last_purchase_on', 'run_context.lapsed_days') }} as lapsed_on,
        -- the first day on which being new, or being back, no longer comes first
        {{ add_days('snapshots.first_purchase_on', 'run_context.new_customer_days + 1') }} as settled_on,
        coalesce(
            {{ add_days('snapshots.returned_on', 'run_context.reactivated_customer_days + 1') }},
            {{ add_days('snapshots.first_purchase_on', 'run_context.new_customer_days + 1') }}
        ) as resettled_on
    from stages
    inner join run_context on stages.snapshot_on = run_context.as_of_date
    inner join customers on stages.customer_id = customers.customer_id
    -- at most one snapshot, cadence and spell per customer and day
    left join snapshots
        on stages.customer_id = snapshots.customer_id
        and stages.snapshot_on = snapshots.snapshot_on
    left join cadences
        on stages.customer_id = cadences.customer_id
        and stages.snapshot_on = cadences.snapshot_on
    left join active_spells on stages.customer_id = active_spells.customer_id
    left join lifecycle_stages on stages.lifecycle_stage = lifecycle_stages.lifecycle_stage
),

final as (
    select
        customer_id,
        as_of_date,
        lifecycle_stage,
        stage_rank,
        case lifecycle_stage
            when 'prospect' then known_since
            when 'reactivated' then returned_on
            when 'new' then first_purchase_on
            when 'lapsed' then lapsed_on
            when 'at_risk' then greatest(overdue_on, settled_on, resettled_on)
            when 'loyal' then greatest(loyal_since, active_since, settled_on, resettled_on)
            when 'developing' then greatest(active_since, settled_on, resettled_on)
        end as stage_since
    from dated
)

{{ select_with_labels('final') }}
