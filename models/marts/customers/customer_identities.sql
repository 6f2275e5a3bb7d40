with

identities as (
    select * from {{ ref('stg_customer_identities') }}
),

links as (
    select * from {{ ref('int_identity_links_explained') }}
),

conflicts as (
    select * from {{ ref('identity_conflicts') }}
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

known_ids as (
    select
        identities.source_system,
        identities.source_id,
        identities.source_system || ':' || identities.source_id as identity_id,
        min(identities.recorded_at) as first_recorded_at
    from identities
    cross join run_context
    where {{ business_day('identities.recorded_at', 'run_context.business_timezone') }} <= run_context.as_of_date
    group by identities.source_system, identities.source_id
),

conflicts_counted as (
    select
        identity_id,
        count(*) as conflicts
    from conflicts
    group by identity_id
),

final as (
    select
        known_ids.identity_id,
        known_ids.source_system,
        known_ids.source_id,
        coalesce(links.customer_id, known_ids.identity_id) as customer_id,
        coalesce(links.link_kind, 'none') as link_kind,
        links.linked_through,
        links.linked_through is not null and not links.is_linked_to_customer as is_transitive,
        links.claimed_at as linked_at,
        known_ids.first_recorded_at,
        coalesce(conflicts_counted.conflicts, 0) as conflicts
    from known_ids
    left join links on known_ids.identity_id = links.id
    left join conflicts_counted on known_ids.identity_id = conflicts_counted.identity_id
)

{{ select_with_labels('final') }}
