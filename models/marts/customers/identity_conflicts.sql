with

links as (
    select * from {{ ref('int_identities_linked') }}
),

explained_links as (
    select * from {{ ref('int_identity_links_explained') }}
),

customers_of_links as (
    select
        link_id,
        min(customer_id) as first_customer_id,
        max(customer_id) as last_customer_id,
        min(case when is_customer then customer_id end) as first_holder_id,
        max(case when is_customer then customer_id end) as last_holder_id
    from links
    group by link_id
),

-- an id of another system shares the detail with somebody who is not its customer
disputed_links as (
    select
        links.id,
        links.customer_id,
        links.link_kind,
        links.claimed_at,
        explained_links.id is not null as is_linked_by_it,
        customers_of_links.first_holder_id < customers_of_links.last_holder_id as is_shared_by_customers,
        case
            when customers_of_links.first_holder_id != links.customer_id then customers_of_links.first_holder_id
            when customers_of_links.last_holder_id != links.customer_id then customers_of_links.last_holder_id
            when customers_of_links.first_customer_id != links.customer_id then customers_of_links.first_customer_id
            else customers_of_links.last_customer_id
        end as other_customer_id
    from links
    inner join customers_of_links on links.link_id = customers_of_links.link_id
    left join explained_links on links.id = explained_links.id and links.link_id = explained_links.link_id
    where
        not links.is_customer
        and links.is_settled
        and customers_of_links.first_customer_id < customers_of_links.last_customer_id
),

unsettled_ids as (
    select
        id,
        min(claimed_at) as claimed_at
    from links
    where not is_settled
    group by id
),

reasons as (
    select
        id as identity_id,
        link_kind,
        other_customer_id,
        case
            when link_kind = 'customer_id' then 'names_two_customers'
            when is_shared_by_customers then 'shared_by_customers'
            else 'belongs_to_another_customer'
        end as reason_code,
        customer_id,
        claimed_at,
        is_linked_by_it
    from disputed_links
    union all
    select
        id as identity_id,
        'none' as link_kind,
        'none' as other_customer_id,
        'chain_too_long' as reason_code,
        id as customer_id,
        claimed_at,
        false as is_linked_by_it
    from unsettled_ids
),

-- two phones that are shared with the same customer are one conflict
final as (
    select
        identity_id,
        link_kind,
        other_customer_id,
        min(reason_code) as reason_code,
        min(customer_id) as customer_id,
        max(case when is_linked_by_it then 1 else 0 end) = 1 as is_linked_by_it,
        min(claimed_at) as claimed_at
    from reasons
    group by identity_id, link_kind, other_customer_id
)

{{ select_with_labels('final') }}
