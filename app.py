"""Chalice's entry point: the scaling Lambda, whose functions are in scaling_lambda/handlers.py."""

from chalice.app import Chalice

from scaling_lambda.handlers import blueprint

app = Chalice(app_name="novaburst-scaling")
app.register_blueprint(blueprint)
