with

tickets as (
    select * from {{ ref('int_tickets_timed') }}
    where customer_id is not null
),

ticket_days as (
    select
        customer_id,
        opened_on,
        count(*) filter (where is_bad) > 0 as is_bad,
        row_number() over (partition by customer_id order by opened_on asc nulls last) as place
    from tickets
    group by customer_id, opened_on
),

final as (
    select
        customer_id,
        opened_on as ticketed_on,
        case when is_bad then 'bad' else 'good' end as ticket_kind
    from ticket_days
    where place = 1
)

select * from final
