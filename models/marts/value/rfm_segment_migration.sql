with

transitions as (
    select * from {{ ref('rfm_segment_transitions') }}
),

final as (
    select
        month,
        from_segment,
        to_segment,
        customers,
        is_complete
    from transitions
)

select * from final
