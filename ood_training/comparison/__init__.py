"""Methods of one recipe family side by side: trained, measured, averaged over seeds, shown."""
