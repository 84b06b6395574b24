//! The order of locks. A transaction that ends several sessions, or several scoped keys, first locks the sessions in the
//! order of their handles: so no two of them wait for each other. The keys need no order, because they are ended only
//! under the lock of their session, or one at a time, or skipped if they are locked.

/// Locks the sessions of a query until the end of the transaction, and returns their handles.
macro_rules! lock_in_order {
    ($conn:expr, $sessions:expr) => {
        $sessions
            .order($crate::schema::sessions::handle)
            .for_no_key_update()
            .select($crate::schema::sessions::handle)
            .load::<$crate::Handle>($conn)
    };
}

pub(super) use lock_in_order;
